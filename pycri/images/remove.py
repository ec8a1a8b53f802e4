"""RemoveImage (cri-api: ImageService)."""

from __future__ import annotations

from pycri._generated import cri_pb2
from pycri.containerd import Containerd
from pycri.images.names import delete_names
from pycri.images.store import ImageStore


async def remove_image(
    client: Containerd, store: ImageStore, request: cri_pb2.RemoveImageRequest
) -> cri_pb2.RemoveImageResponse:
    """Remove the image with all of its names, whichever of them the request has.

    Idempotent, as the proto asks: an image that is not here is a success. Containers that run from it keep
    their snapshots.
    """
    record = store.find(request.image.image)
    if record is not None:
        await delete_names(client, store, record.names)
    return cri_pb2.RemoveImageResponse()
