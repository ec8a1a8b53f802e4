"""The image of pods' pause containers: pycri's own, or one that the node's owner has named."""

from __future__ import annotations

from pycri.containerd import Containerd
from pycri.errors import FailedPrecondition
from pycri.images import blobs, pause, reference
from pycri.images import manifest as manifests
from pycri.images.digests import sha256
from pycri.images.load import image_data
from pycri.images.manifest import Descriptor
from pycri.images.media_types import OCI_MANIFEST
from pycri.images.names import point_names
from pycri.images.platforms import Platform
from pycri.images.puller import Puller
from pycri.images.record import ImageRecord
from pycri.images.store import ImageStore
from pycri.images.unpack import Unpacker


async def ensure(
    name: str, client: Containerd, store: ImageStore, unpacker: Unpacker, puller: Puller, node: Platform
) -> ImageRecord:
    """Return the sandbox image's record; import or pull it first if it is not there, or not pinned."""
    present = store.find(name)
    if name == pause.NAME:
        built = _build(node)
        if present is None or present.id != sha256(built.config) or not present.pinned:
            present = await _import(built, client, store, unpacker)
        return present
    if present is None or not present.pinned:
        present = await puller.pull(reference.parse(name), None, pinned=True)
    return present


def _build(node: Platform) -> pause.BuiltImage:
    try:
        return pause.build(node.architecture)
    except KeyError:
        raise FailedPrecondition(
            f"pycri has no pause image of its own for {node}: set images.sandbox_image to one in a registry"
        ) from None


async def _import(
    built: pause.BuiltImage, client: Containerd, store: ImageStore, unpacker: Unpacker
) -> ImageRecord:
    """Store the blobs, unpack the layer, name and pin the image."""
    manifest = manifests.parse_manifest(built.manifest, OCI_MANIFEST)
    config = manifests.parse_config(built.config, manifest.layers)
    target = Descriptor(OCI_MANIFEST, sha256(built.manifest), len(built.manifest))
    data = image_data(target, manifest, config)
    layer, config_digest = manifest.layers[0], manifest.config.digest
    async with client.leases.hold("import", expire=3600):
        await blobs.store_blob(client, built.layer, layer.digest, {})
        labels = blobs.config_labels(unpacker.snapshotter, data.chain_id)
        await blobs.store_blob(client, built.config, config_digest, labels)
        await blobs.store_blob(client, built.manifest, target.digest, blobs.manifest_labels(manifest))
        await unpacker.unpack(layer, config.diff_ids[0], "", data.chain_id)
        await point_names(client, store, [pause.NAME, data.id], target, data, pinned=True)
    record = store.find(data.id)
    assert record is not None, "its names were stored just now"
    return record
