"""containerd's image records: a name that points at a manifest or index."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from pycri._generated import containerd_images_pb2 as pb
from pycri.containerd.connection import Connection

_SERVICE = pb.DESCRIPTOR.services_by_name["Images"]


class Images:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, name: str) -> pb.Image:
        request = pb.GetImageRequest(name=name)
        return (await self._connection.unary(_SERVICE, "Get", request, pb.GetImageResponse)).image

    async def list(self, *filters: str) -> Sequence[pb.Image]:
        request = pb.ListImagesRequest(filters=filters)
        return [*(await self._connection.unary(_SERVICE, "List", request, pb.ListImagesResponse)).images]

    async def create(self, image: pb.Image) -> pb.Image:
        request = pb.CreateImageRequest(image=image)
        return (await self._connection.unary(_SERVICE, "Create", request, pb.CreateImageResponse)).image

    async def update(self, image: pb.Image, *fields: str) -> pb.Image:
        """Store the named fields (``target``, ``labels``, ``labels.NAME``); all of them without a name."""
        mask = FieldMask(paths=fields) if fields else None
        request = pb.UpdateImageRequest(image=image, update_mask=mask)
        return (await self._connection.unary(_SERVICE, "Update", request, pb.UpdateImageResponse)).image

    async def delete(self, name: str, *, sync: bool = False) -> None:
        """Delete the name; with ``sync``, return after containerd has collected what it alone held."""
        await self._connection.unary(_SERVICE, "Delete", pb.DeleteImageRequest(name=name, sync=sync), Empty)
