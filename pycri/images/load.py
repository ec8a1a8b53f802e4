"""An image record out of what containerd has stored."""

from __future__ import annotations

from pycri._generated import containerd_images_pb2
from pycri.containerd import Containerd
from pycri.errors import FailedPrecondition, NotFound
from pycri.images import manifest as manifests
from pycri.images import media_types
from pycri.images.manifest import Descriptor, ImageConfig, Manifest
from pycri.images.platforms import Platform
from pycri.images.store import ImageData
from pycri.images.unpack import Unpacker


class NotUnpacked(FailedPrecondition):
    """All content is here, the snapshots are not."""


async def load(
    client: Containerd,
    unpacker: Unpacker,
    node: Platform,
    image: containerd_images_pb2.Image,
    *,
    unpack: bool,
) -> ImageData:
    """Read the image that containerd has under a name; ``unpack`` it too if that was not done.

    Raises NotFound if its content is incomplete, FailedPrecondition if it is for another platform or broken,
    NotUnpacked without ``unpack``.
    """
    target = Descriptor(image.target.media_type, image.target.digest, image.target.size)
    found = await _manifest(client, node, target)
    raw = await client.content.read_all(found.digest, manifests.MAX_DOCUMENT)
    manifest = manifests.parse_manifest(raw, found.media_type)
    config = manifests.parse_config(
        await client.content.read_all(manifest.config.digest, manifests.MAX_DOCUMENT), manifest.layers
    )
    chain = manifests.chain_ids(config.diff_ids)
    if chain and not await unpacker.exists(chain[-1]):
        if not unpack:
            raise NotUnpacked(f"{image.name} is not unpacked")
        await _unpack(client, unpacker, manifest, config)
    return image_data(found, manifest, config)


def image_data(found: Descriptor, manifest: Manifest, config: ImageConfig) -> ImageData:
    """What the store keeps of an image; ``found`` is its manifest's descriptor."""
    chain = manifests.chain_ids(config.diff_ids)
    return ImageData(
        id=manifest.config.digest,
        chain_id=chain[-1] if chain else "",
        config=config.document,
        size=found.size + manifest.config.size + sum(layer.size for layer in manifest.layers),
    )


async def _manifest(client: Containerd, node: Platform, target: Descriptor) -> Descriptor:
    """The manifest that ``target`` is, or the best one in the index that is here."""
    if target.media_type in media_types.MANIFESTS:
        return target
    if target.media_type not in media_types.INDEXES:
        raise FailedPrecondition(f"not an image but {target.media_type!r}")
    raw = await client.content.read_all(target.digest, manifests.MAX_DOCUMENT)
    missing = NotFound(f"no manifest of {target.digest} is here")
    for _, candidate in manifests.select(raw, target.media_type, node):
        try:
            await client.content.info(candidate.digest)
        except NotFound as error:  # noqa: PERF203  # the next best may be here
            missing = error
        else:
            return candidate
    raise missing


async def _unpack(client: Containerd, unpacker: Unpacker, manifest: Manifest, config: ImageConfig) -> None:
    chain = manifests.chain_ids(config.diff_ids)
    async with client.leases.hold("unpack", expire=3600):
        parent = ""
        for layer, diff_id, chain_id in zip(manifest.layers, config.diff_ids, chain, strict=True):
            await unpacker.unpack(layer, diff_id, parent, chain_id)
            parent = chain_id
        await client.content.update_labels(
            manifest.config.digest,
            {f"containerd.io/gc.ref.snapshot.{unpacker.snapshotter}": chain[-1]},
        )
