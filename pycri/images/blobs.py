"""Manifests, indexes and configs in containerd's content store, with the references that keep the rest alive.

containerd's garbage collector follows labels: content to content (``gc.ref.content``) and content to
snapshot (``gc.ref.snapshot``). https://github.com/containerd/containerd/blob/main/docs/garbage-collection.md
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from pycri.containerd import Containerd
from pycri.containerd.connection import lease_id
from pycri.errors import AlreadyExists, FailedPrecondition, NotFound
from pycri.images.manifest import Manifest


async def store_blob(client: Containerd, data: bytes, digest: str, labels: Mapping[str, str]) -> None:
    """Write a small blob with ``labels``; one that is there already gets the labels, and the lease."""
    ref = f"pycri-{digest}"
    if lease := lease_id.get():
        await client.leases.add(lease, "content", digest)
    try:
        await client.content.write_blob(ref, data, digest, labels)
    except AlreadyExists:
        await client.content.update_labels(digest, labels)
    except FailedPrecondition:
        # What an interrupted write had left under this ref was not the beginning of it.
        with suppress(NotFound):
            await client.content.abort(ref)
        await client.content.write_blob(ref, data, digest, labels)


def index_labels(place: int, manifest_digest: str) -> dict[str, str]:
    """An index keeps the one manifest in it that this node uses."""
    return {f"containerd.io/gc.ref.content.m.{place}": manifest_digest}


def manifest_labels(manifest: Manifest) -> dict[str, str]:
    """A manifest keeps its config and layers."""
    layers = {
        f"containerd.io/gc.ref.content.l.{number}": layer.digest
        for number, layer in enumerate(manifest.layers)
    }
    return {"containerd.io/gc.ref.content.config": manifest.config.digest, **layers}


def config_labels(snapshotter: str, chain_id: str) -> dict[str, str]:
    """A config keeps the topmost snapshot, which keeps those below it."""
    return {f"containerd.io/gc.ref.snapshot.{snapshotter}": chain_id} if chain_id else {}
