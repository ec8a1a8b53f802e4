"""Mounts what containerd's snapshotter describes, read-only, also when it has a great many layers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from pycri import syscalls
from pycri._generated.containerd_types_pb2 import Mount

T = TypeVar("T")

_FLAGS = {"ro": syscalls.MS_RDONLY, "nosuid": syscalls.MS_NOSUID, "nodev": syscalls.MS_NODEV}
_NOT_DATA = ("rw", "bind", "rbind")


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


def _lower(mount: Mount) -> list[str]:
    for option in mount.options:
        if option.startswith("lowerdir="):
            return option[len("lowerdir=") :].split(":")
    return []


def _mount(mount: Mount, target: str) -> None:
    flags, data = syscalls.MS_RDONLY, []
    for option in mount.options:
        if option in _FLAGS:
            flags |= _FLAGS[option]
        elif not option.startswith(("upperdir=", "workdir=", "lowerdir=")) and option not in _NOT_DATA:
            data.append(option)
    lower = _lower(mount)
    if lower:
        # Relative paths: many layers' absolute ones would not fit the page that mount(2) takes.
        base = os.path.commonpath(lower)
        os.chdir(base)
        data.append("lowerdir=" + ":".join(os.path.relpath(path, base) for path in lower))
    syscalls.mount(mount.source, target, mount.type, flags, ",".join(data))
