"""Reads passwd and group of an image without leaving a mount behind.

The layers are mounted, where they need to be, in a mount namespace of the reading thread's own: it ends with
the thread, and nobody else ever sees it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from pycri import syscalls
from pycri._generated.containerd_types_pb2 import Mount
from pycri.container.spec.users import UserFiles, read_files

_FLAGS = {"ro": syscalls.MS_RDONLY, "nosuid": syscalls.MS_NOSUID, "nodev": syscalls.MS_NODEV}
_CACHED = 256


class UserFilesCache:
    """passwd and group by chain id: a new container's root file system is its image's."""

    def __init__(self, mount_point: str) -> None:
        self._mount_point = mount_point
        self._known: OrderedDict[str, UserFiles] = OrderedDict()

    def known(self, chain_id: str) -> UserFiles | None:
        """The files, if they have been read before."""
        return self._known.get(chain_id)

    async def get(self, chain_id: str, mounts: Sequence[Mount]) -> UserFiles:
        """``mounts`` are those of a snapshot over ``chain_id``. Raises OSError, InvalidArgument."""
        files = self._known.get(chain_id)
        if files is None:
            files = await _in_own_thread(self._mount_point, mounts)
            self._known[chain_id] = files
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)
        return files


async def _in_own_thread(mount_point: str, mounts: Sequence[Mount]) -> UserFiles:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[UserFiles] = loop.create_future()

    def finish(result: UserFiles | Exception) -> None:
        if future.cancelled():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    def work() -> None:
        try:
            result: UserFiles | Exception = _read(mount_point, mounts)
        except Exception as error:  # noqa: BLE001  # handed to the caller
            result = error
        loop.call_soon_threadsafe(finish, result)

    threading.Thread(target=work, name="rootfs", daemon=True).start()
    return await future


def _read(mount_point: str, mounts: Sequence[Mount]) -> UserFiles:
    if len(mounts) == 1:
        plain = _plain_directory(mounts[0])
        if plain:
            return read_files(plain)
    Path(mount_point).mkdir(mode=0o700, parents=True, exist_ok=True)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    for mount in mounts:
        _mount(mount, mount_point)
    return read_files(mount_point)


def _plain_directory(mount: Mount) -> str:
    """The directory to read when no mount is needed: a bind mount's, or a lone layer's."""
    if mount.type == "bind":
        return mount.source
    lower = _lower(mount)
    return lower[0] if mount.type == "overlay" and len(lower) == 1 else ""


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
        elif not option.startswith(("upperdir=", "workdir=", "lowerdir=")) and option not in ("rw", "rbind"):
            data.append(option)
    lower = _lower(mount)
    if lower:
        # Relative paths: many layers' absolute ones would not fit the page that mount(2) takes.
        base = os.path.commonpath(lower)
        os.chdir(base)  # this thread's alone, since unshare
        data.append("lowerdir=" + ":".join(os.path.relpath(path, base) for path in lower))
    syscalls.mount(mount.source, target, mount.type, flags, ",".join(data))
