"""A bundle is used when every byte of it is what its manifest says, signed by whom it should be."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from installer.bundle import archive
from installer.bundle.manifest import Manifest, parse
from installer.errors import ArtifactError, NodestrapError, UsageError
from pycri.version import __version__


def made(tmp_path: Path, key: Path | None = None, **changes: bytes) -> Path:
    """A bundle of two files; ``changes`` are other contents than the manifest says."""
    contents = {"amd64/bin/runc": b"\x7fELF", "wheels/a.whl": b"wheel"}
    sources = {}
    for number, (path, content) in enumerate(contents.items()):
        sources[path] = tmp_path / f"source{number}"
        sources[path].write_bytes(changes.get(path.rpartition("/")[2], content))
    manifest = Manifest(
        nodestrap=__version__,
        targets=("debian-12/amd64",),
        components={"runc/debian-12/amd64": "1.3.3 (upstream)"},
        files={path: hashlib.sha256(content).hexdigest() for path, content in contents.items()},
        sizes={path: len(content) for path, content in contents.items()},
    )
    bundle = tmp_path / "bundle.tar"
    archive.write(bundle, manifest, sources, key)
    return bundle


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("mine", "other"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True
        )
    return tmp_path / "mine", tmp_path / "other"


def test_it_is_unpacked_once_with_sums_that_stay_checked(tmp_path: Path) -> None:
    bundle = made(tmp_path)
    directory = archive.unpack(bundle, tmp_path / "cache")
    assert (directory / "amd64/bin/runc").read_bytes() == b"\x7fELF"
    assert (directory / "amd64/bin/runc").stat().st_mode & 0o777 == 0o755
    assert len((directory / "checksums.txt").read_text().splitlines()) == 2
    before = directory.stat().st_mtime_ns
    assert archive.unpack(bundle, tmp_path / "cache") == directory
    assert directory.stat().st_mtime_ns == before


def test_the_same_content_is_the_same_bundle(tmp_path: Path) -> None:
    first = made(tmp_path).read_bytes()
    assert made(tmp_path).read_bytes() == first


def test_a_changed_file_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    bundle = made(tmp_path, **{"a.whl": b"whe3l"})
    with pytest.raises(ArtifactError, match=r"wheels/a\.whl: wrong checksum"):
        archive.verify(bundle)
    with pytest.raises(ArtifactError, match="wrong checksum"):
        archive.unpack(bundle, tmp_path / "cache")
    assert list((tmp_path / "cache/bundles").iterdir()) == []


def test_a_bundle_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    bundle = made(tmp_path)
    size = bundle.stat().st_size
    with bundle.open("r+b") as handle:
        handle.truncate(size - 10240)
    with pytest.raises(ArtifactError):
        archive.verify(bundle)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "amd64/extra"])
def test_a_file_that_the_manifest_does_not_know_is_refused(tmp_path: Path, name: str) -> None:
    bundle = made(tmp_path)
    with tarfile.open(bundle, "a") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(ArtifactError, match="of which its manifest knows nothing"):
        archive.verify(bundle)


def test_a_link_is_refused(tmp_path: Path) -> None:
    bundle = made(tmp_path)
    link = tarfile.TarInfo("wheels/a.whl")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(bundle, "a") as tar:
        tar.addfile(link)
    with pytest.raises(ArtifactError):
        archive.verify(bundle)


def test_another_file_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    for path in (tmp_path / "x", tmp_path / "none"):
        with pytest.raises(ArtifactError, match="bundle"):
            archive.read_manifest(path)


def test_a_later_format_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="format 2"):
        parse(b'{"format": 2}')
    with pytest.raises(ArtifactError, match="cannot be read"):
        parse(b'{"format": 1}')


def test_only_the_right_key_opens_it(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    mine, other = keys
    bundle = made(tmp_path, key=mine)
    archive.verify(bundle, mine.with_suffix(".pub"))
    with pytest.raises(ArtifactError, match="signature is not by"):
        archive.verify(bundle, other.with_suffix(".pub"))
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"# release\nrelease@example {mine.with_suffix('.pub').read_text()}")
    archive.verify(bundle, signers)
    with pytest.raises(ArtifactError, match="not signed"):
        archive.verify(made(tmp_path), mine.with_suffix(".pub"))


def test_a_signed_manifest_under_other_files_is_refused(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    bundle = made(tmp_path, key=keys[0], runc=b"evil")
    with pytest.raises(ArtifactError, match="wrong checksum"):
        archive.verify(bundle, keys[0].with_suffix(".pub"))


def test_keys_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.pub").write_text("\n")
    for path in (tmp_path / "none", tmp_path / "empty.pub"):
        with pytest.raises(UsageError):
            archive.verify(made(tmp_path, key=_key(tmp_path)), path)
    with pytest.raises(NodestrapError, match="no key"):
        made(tmp_path, key=tmp_path / "none")


def _key(tmp_path: Path) -> Path:
    path = tmp_path / "k"
    if not path.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path
