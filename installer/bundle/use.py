"""A bundle in place of every other source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from installer.artifacts import cache
from installer.bundle import archive
from installer.bundle.manifest import Manifest
from installer.bundle.targets import Target
from installer.cluster.spec import ClusterSpec, HostSpec
from installer.errors import ArtifactError, UsageError
from pycri.version import __version__


def unpacked(bundle: Path, cache_dir: Path, key: Path | None) -> Path:
    """The bundle's directory, checked. Raises ArtifactError, UsageError for another nodestrap's bundle."""
    check_version(archive.read_manifest(bundle, key))
    return archive.unpack(bundle, cache_dir, key)


def check_version(manifest: Manifest) -> None:
    """Raise UsageError for another version's bundle: it holds other wheels than this pycri needs."""
    if manifest.nodestrap != __version__:
        raise UsageError(
            f"the bundle was made by nodestrap {manifest.nodestrap}; this is {__version__}",
            fix="use that version, or make the bundle anew with this one",
        )


def from_bundle(spec: ClusterSpec, directory: Path) -> ClusterSpec:
    """The cluster with its release files taken from the unpacked bundle; packages stay packages."""
    return replace(spec, hosts=tuple(_host(host, directory) for host in spec.hosts))


def _host(host: HostSpec, directory: Path) -> HostSpec:
    variables: dict[str, Any] = dict(host.variables)
    for name, value in host.variables.items():
        if (name == "artifact_source" or name.endswith("_source")) and value == "upstream":
            variables[name] = "directory"
    variables["artifact_directory"] = str(directory)
    return replace(host, variables=variables)


def bundled_packages(directory: Path, target: Target) -> dict[str, str] | None:
    """The role's ``os_packages_artifact``; None where the bundle was made without OS packages.

    Raises ArtifactError when it has some, but none for the target.
    """
    path = directory / target.packages
    if path.is_file():
        return {"path": str(path), "sha256": cache.sha256_of(path), "version": str(target)}
    others = sorted(each.name.removesuffix(".tar.gz") for each in (directory / "packages").glob("*.tar.gz"))
    if not others:
        return None
    raise ArtifactError(
        f"the bundle has no packages for {target}, only for {', '.join(others)}",
        fix=f"make it with --target {target}",
    )
