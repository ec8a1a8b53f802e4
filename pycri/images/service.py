"""The image service: what the CRI server and the sandbox and container verbs see of images."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from pycri._generated import cri_pb2
from pycri.containerd import Containerd
from pycri.errors import NotFound, Unavailable
from pycri.images import list as listing
from pycri.images import platforms, sandbox_image
from pycri.images.filesystem import ImageFilesystem
from pycri.images.pull import pull_image
from pycri.images.puller import Puller, PullSettings
from pycri.images.record import ImageRecord
from pycri.images.remove import remove_image
from pycri.images.single_flight import SingleFlight
from pycri.images.status import image_status
from pycri.images.store import ImageStore
from pycri.images.sync import ImageSync
from pycri.images.unpack import Unpacker


class ImageService:
    """``start`` before use, ``close`` at the end. Arguments are those of the configuration's sections.

    ``progress_timeout`` is in seconds.
    """

    def __init__(
        self,
        client: Containerd,
        *,
        snapshotter: str,
        sandbox_image: str,
        registry_config: str | Path,
        max_concurrent_downloads: int,
        progress_timeout: float,
        connections_per_layer: int = 1,
    ) -> None:
        self._client = client
        self._sandbox_image = sandbox_image
        self._node = platforms.host()
        self._store = ImageStore()
        self._unpacker = Unpacker(client, snapshotter)
        self._sync = ImageSync(client, self._unpacker, self._store, self._node)
        self._filesystem = ImageFilesystem(client, snapshotter)
        self._pulls: SingleFlight[ImageRecord] = SingleFlight(outlive=True)
        self._sandbox_images: SingleFlight[ImageRecord] = SingleFlight(outlive=True)
        settings = PullSettings(
            Path(registry_config), max_concurrent_downloads, progress_timeout, connections_per_layer
        )
        self._puller = Puller(client, self._store, self._unpacker, self._node, settings)
        self._following: asyncio.Task[None] | None = None

    async def start(self, timeout: float = 60.0) -> None:
        """Return once the images that containerd has are known; then keep up with it.

        Raises Unavailable after ``timeout`` seconds without containerd.
        """
        self._following = asyncio.create_task(self._sync.run())
        try:
            await asyncio.wait_for(self._sync.ready.wait(), timeout)
        except asyncio.TimeoutError:
            await self.close()
            raise Unavailable(f"containerd did not list its images within {timeout:g} s") from None

    async def close(self) -> None:
        """End pulls and stop following containerd."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._pulls.close()
        await self._sandbox_images.close()
        await self._puller.close()
        await self._unpacker.close()

    # CRI verbs --------------------------------------------------------------------------------------------

    async def list_images(self, request: cri_pb2.ListImagesRequest) -> cri_pb2.ListImagesResponse:
        return listing.list_images(self._store, request)

    async def stream_images(
        self, request: cri_pb2.StreamImagesRequest
    ) -> AsyncIterator[cri_pb2.StreamImagesResponse]:
        for response in listing.stream_images(self._store, request):
            yield response

    async def image_status(self, request: cri_pb2.ImageStatusRequest) -> cri_pb2.ImageStatusResponse:
        return image_status(self._store, request)

    async def pull_image(self, request: cri_pb2.PullImageRequest) -> cri_pb2.PullImageResponse:
        return await pull_image(self._puller, self._pulls, request)

    async def remove_image(self, request: cri_pb2.RemoveImageRequest) -> cri_pb2.RemoveImageResponse:
        return await remove_image(self._client, self._store, request)

    async def image_fs_info(self, _: cri_pb2.ImageFsInfoRequest) -> cri_pb2.ImageFsInfoResponse:
        return await self._filesystem.info()

    # For other verbs --------------------------------------------------------------------------------------

    async def resolve(self, reference: str) -> ImageRecord:
        """The image that a name, digest or id means. Raises NotFound."""
        record = self._store.find(reference)
        if record is None:
            raise NotFound(f"image {reference!r} is not on this node")
        return record

    async def ensure_sandbox_image(self) -> ImageRecord:
        """The sandbox image, imported or pulled first if need be; pinned."""
        name = self._sandbox_image
        return await self._sandbox_images.do(
            name,
            lambda: sandbox_image.ensure(
                name, self._client, self._store, self._unpacker, self._puller, self._node
            ),
        )

    async def filesystem_mountpoint(self) -> str:
        """The directory of the snapshotter: the ``fs_id`` of images and of containers' writable layers."""
        return await self._filesystem.mountpoint()
