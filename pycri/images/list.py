"""ListImages and StreamImages (cri-api: ImageService)."""

from __future__ import annotations

from collections.abc import Iterator

from pycri._generated import cri_pb2
from pycri.images.record import ImageRecord
from pycri.images.store import ImageStore

_PER_MESSAGE = 100


def list_images(store: ImageStore, request: cri_pb2.ListImagesRequest) -> cri_pb2.ListImagesResponse:
    """All images, or the one that the filter means."""
    images = (record.to_cri() for record in _selected(store, request.filter))
    return cri_pb2.ListImagesResponse(images=images)


def stream_images(
    store: ImageStore, request: cri_pb2.StreamImagesRequest
) -> Iterator[cri_pb2.StreamImagesResponse]:
    """The same in messages that stay far below any size limit."""
    records = _selected(store, request.filter)
    for start in range(0, len(records), _PER_MESSAGE):
        images = (record.to_cri() for record in records[start : start + _PER_MESSAGE])
        yield cri_pb2.StreamImagesResponse(images=images)


def _selected(store: ImageStore, wanted: cri_pb2.ImageFilter) -> list[ImageRecord]:
    if not wanted.image.image:
        return store.records()
    found = store.find(wanted.image.image)
    return [found] if found else []
