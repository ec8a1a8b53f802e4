"""What a bundle holds, and the sha256 of each of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from installer.errors import ArtifactError

NAME: Final = "manifest.json"
SIGNATURE: Final = "manifest.json.sig"
_FORMAT: Final = 1


@dataclass(frozen=True)
class Manifest:
    """``files`` and ``sizes`` are by path within the bundle; sizes in bytes."""

    nodestrap: str  # the version that made it, and that it is for
    targets: tuple[str, ...]  # debian-12/amd64
    components: Mapping[str, str]  # containerd: "2.1.9 (upstream)"
    files: Mapping[str, str]
    sizes: Mapping[str, int]

    def as_bytes(self) -> bytes:
        """Canonical, so that the same content has the same signature."""
        document = {
            "format": _FORMAT,
            "nodestrap": self.nodestrap,
            "targets": list(self.targets),
            "components": dict(self.components),
            "files": {path: {"sha256": self.files[path], "size": self.sizes[path]} for path in self.files},
        }
        return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        found: dict[str, Any] = json.loads(self.as_bytes())
        return found


def parse(data: bytes) -> Manifest:
    """Raises ArtifactError for what is no manifest, or one of a later format."""
    try:
        document = json.loads(data)
        if document["format"] != _FORMAT:
            raise ArtifactError(
                f"the bundle has format {document['format']}; this nodestrap reads {_FORMAT}",
                fix="use the nodestrap that made it",
            )
        return Manifest(
            nodestrap=str(document["nodestrap"]),
            targets=tuple(map(str, document["targets"])),
            components={str(name): str(text) for name, text in document["components"].items()},
            files={str(path): str(each["sha256"]) for path, each in document["files"].items()},
            sizes={str(path): int(each["size"]) for path, each in document["files"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"the bundle's {NAME} cannot be read: {error}", fix="make it anew") from error
