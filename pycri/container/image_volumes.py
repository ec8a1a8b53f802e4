"""Image volumes: an image, or a directory of one, mounted read-only into a container (CRI Mount.image).

Each is a view of the image's snapshot, mounted below ``<run>/image-volumes/<container id>/`` and bound from
there into the container. The sub-path meets an image author's symlinks: none may lead out of the image.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

from pycri import errors, mounting, syscalls
from pycri._generated import cri_pb2 as cri
from pycri.config import Config
from pycri.container.spec.id_mappings import IdMappings
from pycri.image import Image
from pycri.rootfs import RootFilesystems

_FAILED = "ImageVolumeMountFailed"  # the kubelet reads this prefix


class ImageResolver(Protocol):
    """What this needs of pycri.images."""

    async def resolve(self, reference: str) -> Image: ...


class ImageVolumes:
    """Mounts and unmounts the image volumes of containers."""

    def __init__(self, config: Config, rootfs: RootFilesystems, images: ImageResolver) -> None:
        self._directory = Path(config.run, "image-volumes")
        self._rootfs = rootfs
        self._images = images

    async def mount(
        self, container_id: str, config: cri.ContainerConfig, mappings: IdMappings | None
    ) -> tuple[dict[int, str], tuple[str, ...]]:
        """Mount every image volume of ``config``, owned as the pod's user namespace says.

        Host paths by the mount's index, and for each mount of the config the image's id (empty: none).
        Raises InvalidArgument, NotFound, FailedPrecondition; what was mounted is ``unmount``'s to undo.
        """
        paths: dict[int, str] = {}
        ids = []
        for index, wanted in enumerate(config.mounts):
            if not wanted.HasField("image"):
                ids.append("")
                continue
            image = await self._resolve(wanted)
            ids.append(image.id)
            root = await self._mount(container_id, index, image, mappings)
            paths[index] = _sub_path(root, wanted)
        return paths, tuple(ids) if paths else ()

    async def unmount(self, container_id: str) -> None:
        """Undo ``mount``; nothing there is fine."""
        directory = self._directory / container_id
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            mounting.unmount(str(path))
            path.rmdir()
            await self._rootfs.remove(snapshot_key(container_id, int(path.name)))
        shutil.rmtree(directory, ignore_errors=True)

    def leftovers(self, known: set[str]) -> list[str]:
        """Ids of containers that are not in ``known`` and have volumes here."""
        if not self._directory.is_dir():
            return []
        return [path.name for path in self._directory.iterdir() if path.name not in known]

    async def _resolve(self, wanted: cri.Mount) -> Image:
        where = f'image volume at "{wanted.container_path}"'
        if not wanted.readonly:
            raise errors.InvalidArgument(f"{_FAILED}: {where} must be read-only")
        if wanted.host_path:
            raise errors.InvalidArgument(f"{_FAILED}: {where} may not have a host path too")
        try:
            return await self._images.resolve(wanted.image.image)
        except errors.NotFound as error:
            raise errors.NotFound(f"{_FAILED}: {where}: {error}") from error

    async def _mount(self, container_id: str, index: int, image: Image, mappings: IdMappings | None) -> str:
        target = self._directory / container_id / str(index)
        target.mkdir(mode=0o700, parents=True)
        mounts = await self._rootfs.view(snapshot_key(container_id, index), image.chain_id, mappings)

        def work() -> None:
            syscalls.unshare(syscalls.CLONE_FS)  # a working directory of this thread's own
            mounting.mount_read_only(mounts, str(target))

        try:
            await mounting.in_own_thread(work)
        except OSError as error:
            raise errors.FailedPrecondition(f"{_FAILED}: image {image.id}: {error}") from error
        return str(target)


def snapshot_key(container_id: str, index: int) -> str:
    """Begins with the container's id, by which recovery knows whose it is."""
    return f"{container_id}-image-{index}"


def _sub_path(root: str, wanted: cri.Mount) -> str:
    """The host path of ``image_sub_path`` below ``root``, with every symlink resolved inside of it."""
    if not wanted.image_sub_path:
        return root
    where = f'{_FAILED}: image volume at "{wanted.container_path}": sub-path "{wanted.image_sub_path}"'
    if wanted.image_sub_path.startswith("/") or ".." in wanted.image_sub_path.split("/"):
        raise errors.InvalidArgument(f'{where} must be relative, without ".."')
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = syscalls.open_in_root(directory, wanted.image_sub_path, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        raise errors.InvalidArgument(f"{where} is not a directory of the image: {error.strerror}") from error
    finally:
        os.close(directory)
    try:
        return str(Path(f"/proc/self/fd/{found}").readlink())
    finally:
        os.close(found)
