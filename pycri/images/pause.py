"""The built-in sandbox image: written here, byte for byte the same everywhere, and imported into containerd.

A node needs no registry to start its first pod, and nothing to pull, pin or keep up to date.
"""

from __future__ import annotations

import functools
import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any

from pycri.images import media_types, pause_program
from pycri.images.digests import sha256

#: The name that means "pycri's own" in ``images.sandbox_image``.
NAME = "localhost/pycri-pause:1"


@dataclass(frozen=True)
class BuiltImage:
    """The blobs of an image; the layer is not compressed, so its digest is its diff id too."""

    layer: bytes
    config: bytes
    manifest: bytes


@functools.cache  # asked for with every pod
def build(architecture: str) -> BuiltImage:
    """The image for ``amd64`` or ``arm64``; KeyError for another architecture."""
    layer = _layer(pause_program.build(architecture))
    config = _json(
        {
            "created": "1970-01-01T00:00:00Z",
            "architecture": architecture,
            "os": "linux",
            "config": {"User": "65535:65535", "Entrypoint": ["/pause"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "pycri"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": _descriptor(media_types.OCI_CONFIG, config),
            "layers": [_descriptor(media_types.OCI_LAYER, layer)],
        }
    )
    return BuiltImage(layer, config, manifest)


def _layer(program: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program))
    return buffer.getvalue()


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha256(blob), "size": len(blob)}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
