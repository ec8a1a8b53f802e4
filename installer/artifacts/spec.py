"""What is wanted (``ArtifactSpec``) and what was found (``Artifact``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from installer.errors import UsageError
from installer.suggest import did_you_mean

COMPONENTS: Final = ("containerd", "runc", "cni_plugins", "crictl", "kubeadm", "kubelet", "kubectl")
SOURCES: Final = ("distro", "upstream", "directory")
# What uname calls a machine, and what release files call it.
ARCHITECTURES: Final[Mapping[str, str]] = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class ArtifactSpec:
    """One component for one architecture, from one source."""

    component: str
    source: str
    architecture: str  # amd64 or arm64
    version: str | None = None  # None: the source's default
    directory: Path | None = None  # of source "directory"
    base_url: str | None = None  # a mirror of everything: <base_url>/<upstream host>/<upstream path>
    mirrors: Mapping[str, str] = field(default_factory=dict)  # component: URL of the directory with its file

    def __post_init__(self) -> None:
        _one_of("component", self.component, COMPONENTS)
        _one_of("source", self.source, SOURCES)
        _one_of("architecture", self.architecture, tuple(ARCHITECTURES.values()))
        if self.source == "directory" and self.directory is None:
            raise UsageError(
                f"{self.component} comes from source directory, but no directory is named",
                fix="set artifact_directory to a directory on the controller",
            )


@dataclass(frozen=True)
class Artifact:
    """A file in the controller's cache, checked against ``sha256``."""

    path: Path
    sha256: str
    version: str

    def as_variable(self) -> dict[str, str]:
        """What the roles get as ``<component>_artifact``."""
        return {"path": str(self.path), "sha256": self.sha256, "version": self.version}


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"unknown {what} {value!r}.{did_you_mean(value, known)}", fix="known: " + ", ".join(known)
        )
