"""The archive for nodes without nodestrap: complete, listed, and the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from installer.artifacts import release, wheels
from pycri.version import __version__


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its dependencies are stand-ins: that the real ones come with their sums is test_pycri_archive's."""

    def fetch(chosen: tuple[wheels.Wheel, ...], *_: object) -> tuple[Path, ...]:
        for wheel in chosen:
            (tmp_path / wheel.file).write_bytes(wheel.file.encode())
        return tuple(tmp_path / wheel.file for wheel in chosen)

    monkeypatch.setattr(release.wheels, "fetch", fetch)
    return release.build(tmp_path / "dist", "aarch64", tmp_path / "cache")


def contents(archive: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None  # it holds files alone
            found[member.name.partition("/")[2]] = stream.read()
    return found


def test_everything_is_there_and_listed(archive: Path) -> None:
    assert archive.name == f"pycri-{__version__}-arm64.tar.gz"
    files = contents(archive)
    listed = dict(reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines())
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    for name in ("install", "README.md", "config.toml", "crictl.yaml", "pycri", "units/pycri-io.service"):
        assert name in files
    for unit in ("pycri.service", "pycri-io.service"):
        assert not any(mark in files[f"units/{unit}"] for mark in (b"{{", b"{%"))
    for python in wheels.supported_pythons():
        names = [name for name in files if name.startswith(f"wheels/{python}/grpcio-") and "aarch64" in name]
        assert len(names) == 1
    assert any(name.startswith("wheels/any/protobuf-") for name in files)
    (tomli,) = [name for name in files if "/tomli-" in name]
    assert tomli.startswith("wheels/3.10/")


def test_the_same_sources_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    again = release.build(tmp_path / "again", "aarch64", tmp_path / "cache")
    assert again.read_bytes() == archive.read_bytes()


def test_its_own_wheel_is_one(archive: Path, tmp_path: Path) -> None:
    """pycri and nothing of the installer; unpacked, it runs from there."""
    data = contents(archive)[f"wheels/any/pycri-{__version__}-py3-none-any.whl"]
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        tops = {name.partition("/")[0] for name in wheel.namelist()}
        assert tops == {"pycri", f"pycri-{__version__}.dist-info"}
        wheel.extractall(tmp_path / "lib")
    code = "import sys; sys.path.insert(0, sys.argv[1]); from pycri.cli import main; main(['--version'])"
    argv = [sys.executable, "-ISc", code, str(tmp_path / "lib")]
    done = subprocess.run(argv, capture_output=True, check=True, cwd="/")
    assert __version__.encode() in done.stdout


def test_the_configuration_is_pycris_own_default(archive: Path) -> None:
    from pycri.config import Config, parse

    assert parse(contents(archive)["config.toml"].decode()) == Config()
