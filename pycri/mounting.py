"""Mounts what containerd's snapshotter describes, also when it has a great many layers."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pycri import syscalls
from pycri._generated.containerd_types_pb2 import Mount

T = TypeVar("T")

_FLAGS = {"ro": syscalls.MS_RDONLY, "nosuid": syscalls.MS_NOSUID, "nodev": syscalls.MS_NODEV}
_NOT_DATA = ("rw", "bind", "rbind")
_UPPER = ("upperdir=", "workdir=")
# "uidmap" and "gidmap" are for whoever shows the files to a container: here they are read as they are.
_HANDLED = ("lowerdir=", "uidmap=", "gidmap=")


async def in_own_thread(work: Callable[[], T]) -> T:
    """The result of ``work`` in a thread that ends with it: it may unshare what only a thread may lose."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: Exception | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  # handed to the caller
            loop.call_soon_threadsafe(finish, None, error)
        else:
            loop.call_soon_threadsafe(finish, result, None)

    threading.Thread(target=run, daemon=True).start()
    return await future


def plain_directory(mounts: Sequence[Mount]) -> str:
    """The directory that needs no mount to be read: a bind mount's, or a lone layer's; else empty."""
    if len(mounts) != 1:
        return ""
    mount = mounts[0]
    if mount.type == "bind":
        return mount.source
    lower = _lower(mount)
    return lower[0] if mount.type == "overlay" and len(lower) == 1 else ""


def mount_read_only(mounts: Sequence[Mount], target: str) -> None:
    """Mount the lower layers at ``target``. The calling thread must have a working directory of its own.

    Raises OSError.
    """
    plain = plain_directory(mounts)
    if plain:
        syscalls.mount(plain, target, "", syscalls.MS_BIND)
        syscalls.mount("none", target, "", syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY)
        return
    for mount in mounts:
        _mount(mount, target)


def mount_writable(mounts: Sequence[Mount], target: str) -> None:
    """Mount them at ``target``, to be written to; the calling thread as for ``mount_read_only``."""
    for mount in mounts:
        if mount.type == "bind":
            syscalls.mount(mount.source, target, "", syscalls.MS_BIND)
        else:
            _mount(mount, target, writable=True)


def unmount(target: str) -> None:
    """Unmount; nothing mounted there, or nothing there at all, is fine. Raises OSError."""
    try:
        syscalls.umount(target)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise


@contextmanager
def private_mount(target: str) -> Iterator[None]:
    """Make the directory ``target``, and mount namespace and working directory the calling thread's own.

    What is mounted there inside the block is seen by nobody else. The thread must end after it.
    """
    Path(target).mkdir(mode=0o700, parents=True, exist_ok=True)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    try:
        yield
    finally:
        os.chdir("/")
        unmount(target)


def _lower(mount: Mount) -> list[str]:
    for option in mount.options:
        if option.startswith("lowerdir="):
            return option[len("lowerdir=") :].split(":")
    return []


def _mount(mount: Mount, target: str, *, writable: bool = False) -> None:
    flags, data = 0 if writable else syscalls.MS_RDONLY, []
    for option in mount.options:
        if option in _FLAGS:
            flags |= _FLAGS[option]
        elif option.startswith(_UPPER):
            data += [option] if writable else []
        elif not option.startswith(_HANDLED) and option not in _NOT_DATA:
            data.append(option)
    lower = _lower(mount)
    if lower:
        # Relative paths: many layers' absolute ones would not fit the page that mount(2) takes.
        base = os.path.commonpath(lower)
        os.chdir(base)
        data.append("lowerdir=" + ":".join(os.path.relpath(path, base) for path in lower))
    syscalls.mount(mount.source, target, mount.type, flags, ",".join(data))
