"""Reads passwd and group of an image without leaving a mount behind.

The layers are mounted, where they need to be, in a mount namespace of the reading thread's own: it ends with
the thread, and nobody else ever sees it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from pycri import mounting
from pycri._generated.containerd_types_pb2 import Mount
from pycri.container.spec.users import UserFiles, read_files

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
            files = await mounting.in_own_thread(lambda: _read(self._mount_point, mounts))
            self._known[chain_id] = files
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)
        return files


def _read(mount_point: str, mounts: Sequence[Mount]) -> UserFiles:
    plain = mounting.plain_directory(mounts)
    if plain:
        return read_files(plain)
    with mounting.private_mount(mount_point):
        mounting.mount_read_only(mounts, mount_point)
        return read_files(mount_point)
