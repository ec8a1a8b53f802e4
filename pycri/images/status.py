"""ImageStatus (cri-api: ImageService)."""

from __future__ import annotations

import json

from pycri._generated import cri_pb2
from pycri.images.store import ImageStore


def image_status(store: ImageStore, request: cri_pb2.ImageStatusRequest) -> cri_pb2.ImageStatusResponse:
    """The image; the response is empty, not an error, if it is not here.

    ``verbose`` adds the chain id and the OCI image config as JSON, under the key that ``crictl inspecti``
    shows.
    """
    record = store.find(request.image.image)
    if record is None:
        return cri_pb2.ImageStatusResponse()
    image = record.to_cri()
    info = {}
    if request.verbose:
        info["info"] = json.dumps({"chainID": record.chain_id, "imageSpec": record.config})
    return cri_pb2.ImageStatusResponse(image=image, info=info)
