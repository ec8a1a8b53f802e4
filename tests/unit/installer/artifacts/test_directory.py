"""A local tree of release files or bare binaries."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.artifacts import Artifact, ArtifactSpec, directory, resolve
from installer.errors import ArtifactError

AMD64 = b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little") + b"code"
ARM64 = b"\x7fELF" + bytes(14) + (183).to_bytes(2, "little") + b"code"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    return root


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def put(path: Path, content: bytes = AMD64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def find(component: str, tree: Path, cache: Path, **more: str) -> Artifact:
    architecture = more.pop("architecture", "amd64")
    found = resolve(ArtifactSpec(component, "directory", architecture, directory=tree, **more), cache)
    assert found is not None
    return found


def containerd(root: Path, content: bytes = AMD64) -> None:
    for name in ("containerd", "containerd-shim-runc-v2", "ctr"):
        put(root / "bin" / name, content)


def test_the_newest_release_file_is_taken_with_its_version(tree: Path, cache: Path) -> None:
    for version in ("2.1.9", "2.1.10", "2.0.11"):
        put(tree / f"containerd-{version}-linux-amd64.tar.gz")
    put(tree / "containerd-9.0.0-linux-arm64.tar.gz")
    found = find("containerd", tree, cache)
    assert (found.version, found.path.name) == ("2.1.10", "containerd-2.1.10-linux-amd64.tar.gz")
    assert found.sha256 == hashlib.sha256(AMD64).hexdigest()


def test_a_wanted_version_is_taken_or_missed_by_name(tree: Path, cache: Path) -> None:
    put(tree / "cni-plugins-linux-amd64-v1.9.1.tgz")
    assert find("cni_plugins", tree, cache, version="1.9.1").version == "1.9.1"
    with pytest.raises(ArtifactError, match=r"has no cni_plugins 1\.8\.0 for amd64") as caught:
        find("cni_plugins", tree, cache, version="1.8.0")
    assert "cni-plugins-linux-amd64-v1.8.0.tgz" in (caught.value.fix or "")


def test_the_architectures_own_directory_goes_first(tree: Path, cache: Path) -> None:
    put(tree / "bin/kubelet")
    put(tree / "arm64/bin/kubelet", ARM64)
    assert find("kubelet", tree, cache, version="1.36.4").path == tree / "bin/kubelet"
    found = find("kubelet", tree, cache, version="1.36.4", architecture="arm64")
    assert found.path == tree / "arm64/bin/kubelet"


def test_a_single_program_says_its_version_by_its_name(tree: Path, cache: Path) -> None:
    put(tree / "arm64/kubelet-1.36.4-linux-arm64", ARM64)
    found = find("kubelet", tree, cache, architecture="arm64")
    assert (found.version, found.path) == ("1.36.4", tree / "arm64/kubelet-1.36.4-linux-arm64")


def test_bare_binaries_are_packed_as_upstream_packs_them_once(tree: Path, cache: Path) -> None:
    containerd(tree)
    put(tree / "bin/kubelet")
    found = find("containerd", tree, cache, version="2.1.9")
    with tarfile.open(found.path) as archive:
        names = archive.getnames()
    assert names == ["bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr"]
    written = found.path.stat().st_mtime_ns
    assert find("containerd", tree, cache, version="2.1.9") == found
    assert found.path.stat().st_mtime_ns == written
    put(tree / "bin/ctr", AMD64 + b"newer")
    assert find("containerd", tree, cache, version="2.1.9").sha256 != found.sha256


def test_the_same_binaries_give_the_same_archive_elsewhere(tree: Path, tmp_path: Path) -> None:
    for name in ("bridge", "host-local", "loopback", "portmap", "tuning"):
        put(tree / "cni" / name)
    first = find("cni_plugins", tree, tmp_path / "one", version="1.9.1")
    os.utime(tree / "cni/bridge", (1, 1))
    assert find("cni_plugins", tree, tmp_path / "two", version="1.9.1").sha256 == first.sha256


def test_binaries_of_another_machine_are_refused(tree: Path, cache: Path) -> None:
    put(tree / "bin/runc", ARM64)
    with pytest.raises(ArtifactError, match=r"bin/runc is for arm64, not for amd64"):
        find("runc", tree, cache, version="1.3.6")
    put(tree / "bin/runc", b"#!/bin/sh\n")
    with pytest.raises(ArtifactError, match="no Linux binary"):
        find("runc", tree, cache, version="1.3.6")


def test_a_version_that_cannot_be_read_is_asked_for(tree: Path, cache: Path) -> None:
    containerd(tree, ARM64)
    with pytest.raises(ArtifactError, match=r"the version of .* cannot be read") as caught:
        find("containerd", tree, cache, architecture="arm64")
    assert "containerd_version" in (caught.value.fix or "")


def test_a_checksum_list_is_held_against_every_file(tree: Path, cache: Path) -> None:
    kubelet = put(tree / "bin/kubelet")
    right = hashlib.sha256(AMD64).hexdigest()
    sums = tree / "checksums.txt"
    sums.write_text(f"{right}  ./bin/kubelet\n")
    assert find("kubelet", tree, cache, version="1.36.4").sha256 == right
    kubelet.write_bytes(AMD64 + b"!")
    with pytest.raises(ArtifactError, match="wrong checksum"):
        find("kubelet", tree, cache, version="1.36.4")
    sums.write_text(f"{right}  bin/kubeadm\n")
    with pytest.raises(ArtifactError, match="bin/kubelet is not in"):
        find("kubelet", tree, cache, version="1.36.4")
    sums.write_text("garbage\n")
    with pytest.raises(ArtifactError, match=r"checksums.txt:1: not a line of sha256sum"):
        find("kubelet", tree, cache, version="1.36.4")


def test_packed_binaries_are_held_against_the_list_one_by_one(tree: Path, cache: Path) -> None:
    containerd(tree)
    listed = hashlib.sha256(AMD64).hexdigest()
    names = ("containerd", "containerd-shim-runc-v2")
    (tree / "checksums.txt").write_text("".join(f"{listed}  bin/{name}\n" for name in names))
    with pytest.raises(ArtifactError, match="bin/ctr is not in"):
        find("containerd", tree, cache, version="2.1.9")


@given(st.text())
def test_any_text_is_a_checksum_list_or_refused(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as root:
        listing = Path(root) / "checksums.txt"
        listing.write_text(text, encoding="utf-8")
        with contextlib.suppress(ArtifactError):
            sums = directory.checksums(Path(root))
            assert sums is not None
            assert all(len(value) == 64 for value in sums.values())


def test_no_directory_is_said(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ArtifactError, match="is not a directory"):
        find("runc", tmp_path / "none", cache)
