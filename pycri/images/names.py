"""Names of images in containerd: made, moved and taken away together with those in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from pycri._generated.containerd_images_pb2 import Image
from pycri._generated.containerd_types_pb2 import Descriptor as WireDescriptor
from pycri.containerd import Containerd
from pycri.errors import AlreadyExists, NotFound
from pycri.images.manifest import Descriptor
from pycri.images.record import MANAGED_LABEL, PINNED_LABEL
from pycri.images.store import ImageData, ImageStore


async def point_names(
    client: Containerd,
    store: ImageStore,
    names: Sequence[str],
    target: Descriptor,
    data: ImageData,
    *,
    pinned: bool = False,
) -> None:
    """Let each of ``names`` mean the image ``data`` from now on, in containerd and in ``store``."""
    labels = dict([MANAGED_LABEL, PINNED_LABEL] if pinned else [MANAGED_LABEL])
    wire = WireDescriptor(media_type=target.media_type, digest=target.digest, size=target.size)

    async def point(name: str) -> None:
        image = Image(name=name, labels=labels, target=wire)
        while True:
            try:
                await client.images.create(image)
                break
            except AlreadyExists:
                pass
            try:
                await client.images.update(image, "target", *(f"labels.{label}" for label in labels))
                break
            except NotFound:
                pass  # deleted in between
        store.put(name, target.digest, data, pinned=pinned)

    await asyncio.gather(*(point(name) for name in dict.fromkeys(names)))


async def delete_names(client: Containerd, store: ImageStore, names: Sequence[str]) -> None:
    """Delete them; returns after containerd has collected what only they held."""
    for name in names:
        with suppress(NotFound):  # somebody was faster
            await client.images.delete(name, sync=name == names[-1])
        store.drop(name)
