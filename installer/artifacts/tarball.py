"""Deterministic archives: the same members give the same bytes, on every controller and on every day."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from installer.artifacts import cache


@dataclass(frozen=True)
class Member:
    """One file of an archive: its content is the file ``source``, or ``data``."""

    name: str
    mode: int
    source: Path | None = None
    data: bytes = b""

    def sha256(self) -> str:
        """Sum of the content. Raises OSError."""
        return cache.sha256_of(self.source) if self.source else hashlib.sha256(self.data).hexdigest()


def packed(cache_dir: Path, name: str, key: str, members: Callable[[], Iterable[Member]]) -> tuple[Path, str]:
    """Return the cached archive called ``name`` of the inputs ``key`` and its sha256.

    ``members`` is asked for only when the archive is not in the cache, or has rotted there.
    """
    with cache.locked(cache_dir, key):
        archive = cache_dir / "packed" / key / name
        sum_file = archive.with_name("sha256")
        if sum_file.exists() and cache.is_good(archive, sum_file.read_text().strip()):
            return archive, sum_file.read_text().strip()
        archive.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=archive.parent)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                write(handle, sorted(members(), key=lambda member: member.name))
            sha256 = cache.sha256_of(Path(part))
            cache.publish(Path(part), archive)
        finally:
            Path(part).unlink(missing_ok=True)
        sum_file.write_text(sha256 + "\n")
        return archive, sha256


def inputs_key(name: str, members: Iterable[Member]) -> str:
    """One sum over everything that decides the archive's bytes."""
    digest = hashlib.sha256(name.encode())
    for member in members:
        digest.update(f"\n{member.name} {member.mode:o} {member.sha256()}".encode())
    return digest.hexdigest()


def write(handle: IO[bytes], members: Iterable[Member]) -> None:
    """Write a tar.gz without times, owners or a file name in it. Level 1: it is read over SSH once a node."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=handle, compresslevel=1, mtime=0) as packer,
        tarfile.open(fileobj=packer, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.mode = member.mode
            if member.source is None:
                info.size = len(member.data)
                archive.addfile(info, io.BytesIO(member.data))
            else:
                info.size = member.source.stat().st_size
                with member.source.open("rb") as content:
                    archive.addfile(info, content)
