"""From a component and its source to a checked file in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from installer.artifacts import directory, upstream
from installer.artifacts.progress import Progress, silent
from installer.artifacts.spec import Artifact, ArtifactSpec

Source = Callable[[ArtifactSpec, Path, Progress], Artifact | None]


def resolve(spec: ArtifactSpec, cache_dir: Path, progress: Progress = silent) -> Artifact | None:
    """Return the checked file for ``spec``, fetched or packed into ``cache_dir`` when it is not there yet.

    None for source ``distro``: the node's package manager brings it. Several controllers may share one
    cache. Raises ArtifactError: no sum pinned for the version, not found, unreachable, truncated or a wrong
    checksum.
    """
    return _SOURCES[spec.source](spec, cache_dir, progress)


def _distro(_spec: ArtifactSpec, _cache_dir: Path, _progress: Progress) -> None:
    return None


_SOURCES: Final[Mapping[str, Source]] = {
    "distro": _distro,
    "upstream": upstream.fetch,
    "directory": directory.find,
}
