"""Images as archives that ``ctr images import`` and every other importer reads: one file, both formats.

An archive is an OCI image layout (``oci-layout``, ``index.json``, ``blobs/``) with docker's ``manifest.json``
added, which names the same blobs. Layers are plain tars: they are unpacked where they were written, and
compression would only cost time. The same images give the same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from installer.lab.oci_images import CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE, Entry, Image, Layer, digest

PLAIN_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


def plain_layer(entries: Sequence[Entry]) -> Layer:
    """Pack entries, in their order, into a layer that is not compressed: its digest is its diff id."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = entry.header()
            tar.addfile(info, io.BytesIO(entry.content) if info.size and entry.content else None)
    content = buffer.getvalue()
    return Layer(content, digest(content))


def write(path: Path, name: str, image: Image) -> str:
    """Write an image of plain layers as ``name`` (registry/repository:tag); returns its manifest's digest."""
    config = image.config_blob
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(CONFIG_TYPE, config),
            "layers": [_descriptor(PLAIN_LAYER_TYPE, layer.blob) for layer in image.layers],
        }
    )
    annotations = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    entry = {**_descriptor(MANIFEST_TYPE, manifest), "annotations": annotations}
    entry["platform"] = {"architecture": image.architecture, "os": "linux"}
    docker = [
        {
            "Config": _blob_path(config),
            "RepoTags": [name],
            "Layers": [_blob_path(layer.blob) for layer in image.layers],
        }
    ]
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]}),
        "manifest.json": _json(docker),
        **{_blob_path(blob): blob for blob in (manifest, config, *(layer.blob for layer in image.layers))},
    }
    with tarfile.open(path, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file, content in files.items():
            info = tarfile.TarInfo(file)
            info.size, info.mode, info.mtime = len(content), 0o644, 0
            tar.addfile(info, io.BytesIO(content))
    return digest(manifest)


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


def _blob_path(content: bytes) -> str:
    return "blobs/" + digest(content).replace(":", "/")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
