"""The controller's cache: ``<sha256>/<file name>``, each entry complete and checked, or not there at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from installer.errors import ArtifactError

_CHUNK = 1 << 20


@contextmanager
def locked(cache_dir: Path, key: str) -> Iterator[None]:
    """Hold the cache's lock on ``key``: of two controllers that want one file, the second waits and finds
    it.
    """
    locks = cache_dir / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        handle = (locks / f"{key}.lock").open("w")
    except OSError as error:
        raise ArtifactError(
            f"the artifact cache {cache_dir} cannot be written: {error.strerror}",
            fix="free the disk, or choose another cache directory",
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def entry(cache_dir: Path, sha256: str, name: str) -> Path:
    """Where the file with this sum is, or shall be put."""
    return cache_dir / sha256 / name


def is_good(path: Path, sha256: str) -> bool:
    """Whether the file is there with the right content; one that has rotted is removed."""
    try:
        good = sha256_of(path) == sha256
    except FileNotFoundError:
        return False
    if not good:
        path.unlink()
    return good


def publish(part: Path, target: Path) -> Path:
    """Make a finished ``part`` (on the same file system) visible as ``target``, durably and at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.chmod(0o644)
    part.replace(target)
    return target


def sha256_of(path: Path) -> str:
    """The file's sha256 in hex. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
