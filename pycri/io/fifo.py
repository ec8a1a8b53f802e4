"""FIFOs between the shim and pycri-io.

The runc shim holds both ends of a container's stdout and stderr, so that pycri-io may come and go: what is
written meanwhile waits in the pipe, and the container blocks only once that is full.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

# How much a container may write while pycri-io is away or busy. 1 MiB is the kernel's default limit.
PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", 1031)  # named in the module since Python 3.10


def make_fifo(path: Path) -> None:
    """A FIFO at ``path``, mode 0600; one that is there already stays. FileExistsError: something else is."""
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        if not stat.S_ISFIFO(path.lstat().st_mode):
            raise


def open_reader(path: Path) -> int:
    """The reading end, non-blocking. No writer is needed, and end of file is not seen until one has left."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    enlarge(fd)
    return fd


def open_writer(path: Path) -> int:
    """The writing end, non-blocking, also while nobody reads yet (plain O_WRONLY would be ENXIO then)."""
    both = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    finally:
        os.close(both)


def enlarge(fd: int) -> None:
    """Asks for a pipe of PIPE_BYTES; one that the kernel refuses stays as it was."""
    with contextlib.suppress(OSError):  # EPERM: over the limit of pipe pages for a user without capabilities
        fcntl.fcntl(fd, _F_SETPIPE_SZ, PIPE_BYTES)
