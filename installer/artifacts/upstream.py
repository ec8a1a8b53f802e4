"""Source ``upstream``: release files by URL, each with a sha256 that is pinned here."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from installer.artifacts import cache
from installer.artifacts.download import download
from installer.artifacts.progress import Progress
from installer.artifacts.spec import Artifact, ArtifactSpec
from installer.errors import ArtifactError
from installer.suggest import did_you_mean


def fetch(spec: ArtifactSpec, cache_dir: Path, progress: Progress) -> Artifact:
    """Return the release file from the cache, downloaded first when it is not there.

    Raises ArtifactError: no sum for the version and architecture, or see ``download``.
    """
    version = spec.version or default_version(spec.component)
    sha256 = pinned_sha256(spec.component, version, spec.architecture)
    url = release_url(spec, version)
    target = cache.entry(cache_dir, sha256, file_name(spec.component, version, spec.architecture))
    with cache.locked(cache_dir, sha256):
        if not cache.is_good(target, sha256):
            download(url, sha256, target, progress)
    return Artifact(target, sha256, version)


def default_version(component: str) -> str:
    """The version that is taken when none is asked for."""
    return str(_pins()[component]["default"])


def versions(component: str, architecture: str) -> tuple[str, ...]:
    """The versions with a pinned sum, newest first."""
    return tuple(_pins()[component]["sha256"][architecture])


def pinned_sha256(component: str, version: str, architecture: str) -> str:
    """The sum of a release file. Raises ArtifactError when none is pinned: it is never taken on trust."""
    known = versions(component, architecture)
    if version not in known:
        raise ArtifactError(
            f"no sha256 is pinned for {component} {version} on {architecture}.{did_you_mean(version, known)}",
            fix=f"choose a version from {known[-1]} to {known[0]} that is pinned, or take {component} from "
            "source distro or directory",
        )
    return str(_pins()[component]["sha256"][architecture][version])


def file_name(component: str, version: str, architecture: str) -> str:
    """The release file's name; single binaries, whose upstream name says nothing, get version and
    architecture.
    """
    name = _upstream_url(component, version, architecture).rsplit("/", 1)[1]
    return name if version in name else f"{component}-{version}-linux-{architecture}"


def release_url(spec: ArtifactSpec, version: str) -> str:
    """Where to fetch: upstream itself, the mirror of everything, or the component's own mirror."""
    url = _upstream_url(spec.component, version, spec.architecture)
    parts = urlsplit(url)
    if mirror := spec.mirrors.get(spec.component):
        return f"{mirror.rstrip('/')}/{parts.path.rsplit('/', 1)[1]}"
    if spec.base_url:
        return f"{spec.base_url.rstrip('/')}/{parts.netloc}{parts.path}"
    return url


def _upstream_url(component: str, version: str, architecture: str) -> str:
    return str(_pins()[component]["url"].format(version=version, architecture=architecture))


@functools.cache
def _pins() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("checksums.yml").read_text(encoding="utf-8")
    pins: dict[str, Any] = yaml.safe_load(text)
    return pins
