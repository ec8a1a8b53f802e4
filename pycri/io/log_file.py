"""A container's log file: found without following a symlink, written without ever failing its container.

The log directory belongs to the kubelet, but a pod with a host path mount can put a link, a FIFO or a device
where the log should be (CVE-2024-5154, CVE-2025-0750). So the directory's own path is trusted except for its
last component, and from there on each step is an openat with O_NOFOLLOW.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import PurePosixPath

from pycri.errors import InvalidArgument

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_UNKNOWN_SIZE = 1 << 62
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a FIFO planted at the path must not hang the daemon.
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class LogFile:
    """Appends whole lines. What cannot be written is dropped and counted, and writing resumes by itself."""

    def __init__(self, directory: str, path: str, *, tolerant: bool = False) -> None:
        """Raises InvalidArgument when ``path`` is not inside ``directory`` or leads through a link.

        ``tolerant``: a link is an outage like a full disk, for a container that runs already.
        """
        self.path = path
        self.dropped_bytes = 0
        self._directory, self._steps = _relative(directory, path)
        self._fd = -1
        self._closed = False
        self._retry_at = 0.0
        self._failing = False
        try:
            self._fd = self._open()
        except OSError as error:  # a missing directory or a full disk: the container runs all the same
            self._complain("opened", error, 0)
        except InvalidArgument as error:
            if not tolerant:
                raise
            self._complain("opened", error, 0)

    def write(self, lines: bytes) -> None:
        """Appends ``lines``, each ending in a newline; never raises."""
        if self._closed:
            return
        if self._fd < 0 and not self._try_open():
            self.dropped_bytes += len(lines)
            return
        written = 0
        try:
            written = os.write(self._fd, lines)
            while written < len(lines):
                written += os.write(self._fd, memoryview(lines)[written:])
        except OSError as error:
            self._cut_torn_line(lines, written)
            self._complain("written", error, len(lines) - written)
            return
        if self._failing:
            self._failing = False
            log.warning("log %s is written again; %d bytes were dropped", self.path, self.dropped_bytes)

    def size(self) -> int:
        """Bytes in the file; more than any file has while it is not open, so that nothing is cut by it."""
        return os.fstat(self._fd).st_size if self._fd >= 0 else _UNKNOWN_SIZE

    def cut(self, size: int) -> None:
        """Takes back what was written after ``size`` bytes; nothing where the file is shorter."""
        if self._fd >= 0 and os.fstat(self._fd).st_size > size:
            os.ftruncate(self._fd, size)

    def reopen(self) -> None:
        """Continues in a fresh file at the path. Raises OSError or InvalidArgument: the old one stays."""
        if self._closed:
            return
        fd = self._open()
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd

    def close(self) -> None:
        self._closed = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        with _parent(self._directory, self._steps, self.path) as parent:
            try:
                fd = os.open(self._steps[-1], _APPEND, 0o640, dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENXIO):
                    raise InvalidArgument(_not_plain(self.path, "a link or a FIFO")) from None
                raise
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise InvalidArgument(_not_plain(self.path, "not a regular file"))
        return fd

    def _try_open(self) -> bool:
        now = time.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + _RETRY_SECONDS
        try:
            self._fd = self._open()
        except (OSError, InvalidArgument) as error:
            self._complain("opened", error, 0)
            return False
        return True

    def _cut_torn_line(self, lines: bytes, written: int) -> None:
        """After a short write: back to the end of the last whole line, so that a reader can parse on."""
        torn = written - (lines.rfind(b"\n", 0, written) + 1)
        if torn:
            with contextlib.suppress(OSError):  # the reader skips one line then
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - torn)
                self.dropped_bytes += torn

    def _complain(self, action: str, error: Exception, dropped: int) -> None:
        self.dropped_bytes += dropped
        if not self._failing:  # once per outage, not per line
            self._failing = True
            log.warning(
                "log %s cannot be %s: %s. The container runs on, its output is dropped until this is mended",
                self.path,
                action,
                error,
            )


def _relative(directory: str, path: str) -> tuple[str, tuple[str, ...]]:
    """The directory and the steps from it to the file; an empty directory is the file's own."""
    for value in (directory, path):
        if any(ord(char) < 32 or ord(char) == 127 for char in value):
            raise InvalidArgument(f"log path {path!r} in {directory!r} has control characters")
    if not path.startswith("/") or (directory and not directory.startswith("/")):
        raise InvalidArgument(f"log path {path!r} in {directory!r} must be absolute")
    file = PurePosixPath(path)
    root = PurePosixPath(directory) if directory else file.parent
    if ".." in file.parts or ".." in root.parts:
        raise InvalidArgument(f"log path {path!r} in {directory!r} must not contain '..'")
    try:
        steps = file.relative_to(root).parts
    except ValueError:
        raise InvalidArgument(f"log path {path!r} is outside of the log directory {directory!r}") from None
    if not steps:
        raise InvalidArgument(f"log path {path!r} names the log directory itself")
    return str(root), steps


@contextlib.contextmanager
def _parent(directory: str, steps: tuple[str, ...], path: str) -> Iterator[int]:
    """The directory that holds the log file, as a descriptor; missing steps below ``directory`` are made."""
    fd = _step(directory, None, path)
    try:
        for name in steps[:-1]:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=fd)
            below = _step(name, fd, path)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def _step(name: str, parent: int | None, path: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        # O_DIRECTORY | O_NOFOLLOW on a link is ENOTDIR on Linux, ELOOP by POSIX
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise InvalidArgument(_not_plain(path, f"{name!r} on the way is not a directory")) from None
        raise


def _not_plain(path: str, what: str) -> str:
    return f"log path {path!r} is refused: {what}, and links are not followed. Remove what is there"
