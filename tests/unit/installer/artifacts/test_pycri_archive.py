"""pycri's archive: the same inputs give the same bytes, and what is in it runs."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement

from installer.artifacts import build_pycri_archive, pycri_archive, wheels
from installer.artifacts.wheels import Wheel, supported_pythons, wheels_for
from installer.errors import ArtifactError

PROJECT = Path(__file__).parents[4] / "pyproject.toml"


def make_wheel(directory: Path, file: str, members: dict[str, bytes]) -> Wheel:
    directory.mkdir(exist_ok=True)
    with zipfile.ZipFile(directory / file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return Wheel(file, hashlib.sha256((directory / file).read_bytes()).hexdigest())


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small stand-ins for the real wheels, and a lock that names them."""
    house = tmp_path / "wheelhouse"
    lock = [
        make_wheel(
            house,
            f"grpcio-1.0-cp3{minor}-cp3{minor}-manylinux2014_{machine}.whl",
            {"grpc/__init__.py": b"", "grpc/x.pyi": b"", "grpcio-1.0.dist-info/RECORD": b"", "grpc/": b""},
        )
        for minor in (10, 11)
        for machine in ("x86_64", "aarch64")
    ]
    lock += [
        make_wheel(house, f"protobuf-1.0-cp39-abi3-manylinux2014_{machine}.whl", {"google/pb.py": b""})
        for machine in ("x86_64", "aarch64")
    ]
    for name in ("tomli", "typing_extensions", "urllib3"):
        lock.append(make_wheel(house, f"{name}-1.0-py3-none-any.whl", {f"{name}.py": b""}))
    monkeypatch.setattr(wheels, "_lock", lambda: tuple(lock))
    return house


def names_in(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_the_same_inputs_give_the_same_bytes(wheelhouse: Path, tmp_path: Path) -> None:
    first = build_pycri_archive("3.11", "x86_64", tmp_path / "one", wheelhouse=wheelhouse)
    second = build_pycri_archive("3.11", "x86_64", tmp_path / "two", wheelhouse=wheelhouse)
    assert first.path != second.path
    assert first.sha256 == second.sha256 == hashlib.sha256(second.path.read_bytes()).hexdigest()
    assert first.release == second.release
    assert set(first.as_variable()) == {"path", "sha256", "version", "python", "release"}


def test_a_second_build_comes_from_the_cache_without_any_wheel(wheelhouse: Path, tmp_path: Path) -> None:
    first = build_pycri_archive("3.11", "x86_64", tmp_path / "cache", wheelhouse=wheelhouse)
    for file in wheelhouse.iterdir():
        file.unlink()
    assert build_pycri_archive("3.11", "x86_64", tmp_path / "cache") == first


def test_python_machine_and_source_each_make_another_release(
    wheelhouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def release(python: str = "3.11", machine: str = "x86_64") -> str:
        return build_pycri_archive(python, machine, tmp_path / "cache", wheelhouse=wheelhouse).release

    releases = {release(), release("3.10"), release(machine="aarch64")}
    own = tuple(pycri_archive.own_files())
    monkeypatch.setattr(pycri_archive, "own_files", lambda: iter(own[1:]))
    releases.add(release())
    assert len(releases) == 4


def test_it_holds_pycri_its_dependencies_and_nothing_else(wheelhouse: Path, tmp_path: Path) -> None:
    archive = build_pycri_archive("3.11", "x86_64", tmp_path / "cache", wheelhouse=wheelhouse)
    names = names_in(archive.path)
    assert {"release.json", "lib/pycri/version.py", "lib/grpc/__init__.py", "lib/urllib3.py"} <= set(names)
    assert "lib/tomli.py" not in names  # 3.11 has tomllib
    assert not [name for name in names if re.search(r"__pycache__|\.pyc$|\.pyi$|RECORD$|/$", name)]
    assert not [name for name in names if "installer" in name]
    with tarfile.open(archive.path) as tar:
        manifest = json.load(tar.extractfile("release.json") or pytest.fail("no release.json"))
        assert {(info.mtime, info.uid, info.uname) for info in tar.getmembers()} == {(0, 0, "")}
    assert (manifest["release"], manifest["python"]) == (archive.release, "3.11")


def test_python_310_gets_tomli(wheelhouse: Path, tmp_path: Path) -> None:
    archive = build_pycri_archive("3.10", "aarch64", tmp_path / "cache", wheelhouse=wheelhouse)
    assert "lib/tomli.py" in names_in(archive.path)


def test_a_wheel_with_another_sum_is_refused(wheelhouse: Path, tmp_path: Path) -> None:
    (wheelhouse / "urllib3-1.0-py3-none-any.whl").write_bytes(b"something else")
    with pytest.raises(ArtifactError, match=r"urllib3-1.0-py3-none-any.whl: wrong checksum"):
        build_pycri_archive("3.11", "x86_64", tmp_path / "cache", wheelhouse=wheelhouse)
    assert not list((tmp_path / "cache").glob("packed/*/*"))


def test_pip_that_cannot_get_a_wheel_says_why(
    wheelhouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArtifactError, match=r"pip could not get .*grpcio-1\.0") as caught:
        build_pycri_archive("3.11", "x86_64", tmp_path / "cache")
    assert "wheels/" in (caught.value.fix or "")


@pytest.mark.parametrize(("python", "machine"), [("3.9", "x86_64"), ("3.99", "x86_64"), ("3.11", "riscv64")])
def test_a_node_without_wheels_is_refused(python: str, machine: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"for Python {python} on {machine}") as caught:
        build_pycri_archive(python, machine, tmp_path)
    assert "3.11" in (caught.value.fix or "")


def test_the_lock_covers_every_supported_python_on_both_machines() -> None:
    assert supported_pythons() == ("3.10", "3.11", "3.12", "3.13", "3.14")
    for python in supported_pythons():
        for machine in ("x86_64", "aarch64"):
            names = [wheel.tags[0] for wheel in wheels_for(python, machine)]
            assert names == sorted(wheels._NEEDED | (wheels._BELOW_311 if python == "3.10" else set()))


def test_the_lock_satisfies_what_the_project_says_it_needs() -> None:
    wanted = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    needs = {requirement.name: requirement.specifier for requirement in map(Requirement, wanted)}
    for wheel in wheels._lock():
        name, version, *_ = wheel.tags
        if name != "typing_extensions":  # grpcio's, not ours
            assert needs[name].contains(version), wheel.file


def test_the_real_archive_imports_without_site_packages(tmp_path: Path) -> None:
    python = f"3.{sys.version_info.minor}"
    archive = build_pycri_archive(python, "x86_64", tmp_path / "cache")
    with tarfile.open(archive.path) as tar:
        tar.extractall(tmp_path / "release")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import grpc, google.protobuf, urllib3, pycri.config"
    subprocess.run([sys.executable, "-ISc", code, str(tmp_path / "release/lib")], check=True)
