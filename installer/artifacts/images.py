"""Container images of source ``directory``: ``images/*.tar``, OCI layouts or ``docker save`` archives.

They lie under ``<directory>/<amd64 or arm64>/images`` or ``<directory>/images``. Nodes get them from the
controller, into containerd; an image that is there needs no registry.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from installer.artifacts import cache
from installer.artifacts.directory import checksums
from installer.errors import ArtifactError

# What runs on control planes alone: workers need not carry it.
_CONTROL_PLANE: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True)
class ImageArchive:
    """One archive and the images in it."""

    path: Path
    sha256: str
    names: tuple[str, ...]

    @property
    def for_control_planes(self) -> bool:
        """Whether no other node runs any of its images."""
        return all(name.rpartition("/")[2].partition(":")[0] in _CONTROL_PLANE for name in self.names)

    def as_variable(self) -> dict[str, Any]:
        """What the roles get in ``kubernetes_images_archives``."""
        return {"path": str(self.path), "sha256": self.sha256, "names": list(self.names)}


def find_images(directory: Path, architecture: str) -> tuple[ImageArchive, ...]:
    """The archives for nodes of an architecture, none where the directory has no ``images``.

    Raises ArtifactError: an archive that names no image, or, with a checksums.txt, one that it does not list.
    The sum itself is checked on the node, which has to read the file anyway.
    """
    sums = checksums(directory)
    for root in (directory / architecture, directory):
        if (root / "images").is_dir():
            paths = sorted(path for path in (root / "images").iterdir() if path.suffix == ".tar")
            return tuple(ImageArchive(path, _sum(path, directory, sums), _names(path)) for path in paths)
    return ()


def _sum(path: Path, directory: Path, sums: Any) -> str:
    if sums is None:
        return cache.sha256_of(path)
    name = str(path.relative_to(directory))
    if name not in sums:
        raise ArtifactError(
            f"{name} is not in {directory}/checksums.txt", fix="list it there, or remove the list"
        )
    return str(sums[name])


def _names(path: Path) -> tuple[str, ...]:
    """Full names with tags, from docker's manifest.json or the OCI layout's index.json."""
    found: list[str] = []
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.name.removeprefix("./") in ("manifest.json", "index.json"):
                    content = tar.extractfile(member)
                    found += _listed(json.load(content)) if content else []
    except (tarfile.TarError, ValueError, OSError) as error:
        raise ArtifactError(f"{path} is no image archive: {error}", fix="make it with docker save") from error
    if not found:
        raise ArtifactError(
            f"{path} does not say what its image is called",
            fix="save it by its name: docker save, skopeo copy or ctr images export with the tag",
        )
    return tuple(dict.fromkeys(found))


def _listed(content: Any) -> list[str]:
    if isinstance(content, list):  # docker's
        return [name for entry in content for name in entry.get("RepoTags") or ()]
    annotations = [entry.get("annotations") or {} for entry in content.get("manifests") or ()]
    return [each["io.containerd.image.name"] for each in annotations if "io.containerd.image.name" in each]
