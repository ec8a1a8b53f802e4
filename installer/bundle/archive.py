"""Bundles written, read and unpacked; nothing of one is used before its sum is right."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Final

from installer.artifacts import cache
from installer.bundle import manifest as manifests
from installer.bundle import signature
from installer.bundle.manifest import Manifest
from installer.errors import ArtifactError

_CHUNK: Final = 1 << 20
_SUMS: Final = "checksums.txt"  # what source `directory` reads, made here: unpacked bundles stay checked


def write(output: Path, manifest: Manifest, sources: Mapping[str, Path], key: Path | None) -> None:
    """Write the bundle, complete or not at all; ``sources`` are the manifest's files by path."""
    content = manifest.as_bytes()
    part = output.with_name(output.name + ".part")
    try:
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, manifests.NAME, content)
            if key is not None:
                _add(tar, manifests.SIGNATURE, signature.sign(content, key))
            for path in sorted(manifest.files):
                info = tarfile.TarInfo(path)
                info.size, info.mode = manifest.sizes[path], 0o755 if "/bin/" in f"/{path}" else 0o644
                with sources[path].open("rb") as source:
                    tar.addfile(info, source)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o644
    tar.addfile(info, io.BytesIO(content))


def read_manifest(bundle: Path, key: Path | None = None) -> Manifest:
    """The manifest alone, its signature checked where a public ``key`` is given. Raises ArtifactError."""
    with _open(bundle) as tar:
        return _manifest(tar, bundle, key)


def verify(bundle: Path, key: Path | None = None) -> Manifest:
    """Read all of it: each file of the manifest is there with its sum, and no other. Raises ArtifactError."""
    with _open(bundle) as tar:
        manifest = _manifest(tar, bundle, key)
        _each(tar, manifest, bundle, None)
    return manifest


def unpack(bundle: Path, cache_dir: Path, key: Path | None = None) -> Path:
    """The bundle's directory in the cache, unpacked and checked on the way when it is not there yet."""
    manifest = read_manifest(bundle, key)
    name = hashlib.sha256(manifest.as_bytes()).hexdigest()
    target = cache_dir / "bundles" / name
    with cache.locked(cache_dir, f"bundle-{name}"):
        if not target.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=target.parent))
            try:
                with _open(bundle) as tar:
                    _each(tar, _manifest(tar, bundle, key), bundle, part)
                lines = [f"{sha256}  {path}\n" for path, sha256 in sorted(manifest.files.items())]
                (part / _SUMS).write_text("".join(lines), encoding="utf-8")
                part.chmod(0o755)
                part.rename(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return target


def _open(bundle: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(bundle, "r:")
    except FileNotFoundError:
        raise ArtifactError(f"there is no bundle {bundle}", fix="nodestrap bundle create makes one") from None
    except (OSError, tarfile.TarError) as error:
        raise ArtifactError(
            f"{bundle} is no bundle: {error}", fix="nodestrap bundle create makes one"
        ) from error


def _manifest(tar: tarfile.TarFile, bundle: Path, key: Path | None) -> Manifest:
    """The first members are the manifest and its signature: no need to read gigabytes for them."""
    first = tar.next()
    if first is None or first.name != manifests.NAME or not first.isfile():
        raise ArtifactError(
            f"{bundle} is no bundle: it does not begin with {manifests.NAME}", fix="make it anew"
        )
    content = _read(tar, first)
    second = tar.next()
    signed = _read(tar, second) if second is not None and second.name == manifests.SIGNATURE else None
    if key is not None:
        signature.check(content, signed, key)
    return manifests.parse(content)


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream is not None else b""


def _each(tar: tarfile.TarFile, manifest: Manifest, bundle: Path, target: Path | None) -> None:
    """Check every file, writing it below ``target`` where there is one."""
    missing = set(manifest.files)
    try:
        for member in tar:
            if member.name in (manifests.NAME, manifests.SIGNATURE):
                continue
            path = PurePosixPath(member.name)
            if not member.isfile() or path.is_absolute() or ".." in path.parts or member.name not in missing:
                raise ArtifactError(
                    f"{bundle} holds {member.name}, of which its manifest knows nothing", fix=_WRONG
                )
            stream = tar.extractfile(member)
            assert stream is not None  # it is a file
            actual = _copy(stream, target / member.name if target else None, member.mode)
            if actual != manifest.files[member.name]:
                raise ArtifactError(
                    f"{bundle}: {member.name}: wrong checksum: the manifest says sha256 "
                    f"{manifest.files[member.name]}, the file has {actual}",
                    fix=_WRONG,
                )
            missing.discard(member.name)
    except (OSError, tarfile.TarError) as error:
        raise ArtifactError(f"{bundle} cannot be read to its end: {error}", fix=_WRONG) from error
    if missing:
        raise ArtifactError(f"{bundle} lacks {', '.join(sorted(missing))}", fix=_WRONG)


_WRONG: Final = "fetch the bundle again; do not use this one"


def _copy(stream: IO[bytes], path: Path | None, mode: int) -> str:
    digest = hashlib.sha256()
    out: IO[bytes] = io.BytesIO()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        out = path.open("wb")
    with out:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            if path is not None:
                out.write(chunk)
    if path is not None:
        path.chmod(0o755 if mode & 0o100 else 0o644)
    return digest.hexdigest()
