"""What a bundle is to hold, and how the cluster is changed to take it from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.bundle import targets, use
from installer.bundle.contents import Contents, package_names
from installer.bundle.targets import Target
from installer.errors import ArtifactError, UsageError
from tests.unit.installer.hosts import cluster, host

DEBIAN = Target("debian", "12", "amd64")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debian-12/amd64", DEBIAN),
        ("debian-12", DEBIAN),
        ("ubuntu-24.04/arm64", Target("ubuntu", "24", "arm64")),
    ],
)
def test_targets(text: str, expected: Target) -> None:
    assert targets.parse(text) == expected
    assert targets.of_facts(expected.facts) == expected


@pytest.mark.parametrize("text", ["debian", "debian-12/mips", "12", "debian-bookworm"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(UsageError, match="is no target"):
        targets.parse(text)


def test_packages_are_those_of_the_roles() -> None:
    names = package_names(host())
    assert {"containerd", "runc", "containernetworking-plugins", "conntrack", "python3", "isal"} <= set(names)
    names = package_names(host(artifact_source="upstream", kubernetes_version="1.31.4"))
    assert not {"containerd", "runc", "containernetworking-plugins", "kubelet"} & set(names)
    names = package_names(host(kubernetes_version="1.31.4"))
    assert "kubelet=1.31.4-*" in names


def test_a_directory_is_found_again_in_the_bundle(tmp_path: Path) -> None:
    """What goes in by one name comes out as the same component and version, also for another architecture."""
    from installer.artifacts import ArtifactSpec, resolve, silent

    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("containerd-2.1.9-linux-arm64.tar.gz", "cni-plugins-linux-arm64-v1.9.0.tgz"):
        (tree / name).write_bytes(name.encode())
    (tree / "runc-1.3.3-linux-arm64").write_bytes(b"runc")
    (wheels := tree / "wheels").mkdir()
    contents = Contents(tmp_path / "cache", silent, packages=False)
    contents._wheels = lambda _host: None  # type: ignore[method-assign]
    source = host(facts=None, artifact_source="directory", artifact_directory=str(tree))
    contents.add(source, Target("debian", "12", "arm64"))
    manifest = contents.finish([])
    assert wheels.is_dir()
    assert manifest.components["runc/debian-12/arm64"] == "1.3.3 (directory)"
    unpacked = tmp_path / "unpacked"
    for path, file in contents.files.items():
        (unpacked / path).parent.mkdir(parents=True, exist_ok=True)
        (unpacked / path).write_bytes(file.read_bytes())
    for component, version in (("containerd", "2.1.9"), ("cni_plugins", "1.9.0"), ("runc", "1.3.3")):
        found = resolve(ArtifactSpec(component, "directory", "arm64", directory=unpacked), tmp_path / "cache")
        assert found is not None
        assert found.version == version


def test_upstream_becomes_the_bundle_and_packages_stay(tmp_path: Path) -> None:
    one = host(containerd_source="upstream", kubernetes_source="distro", artifact_directory="/elsewhere")
    (changed,) = use.from_bundle(cluster(one, state_dir=tmp_path), tmp_path).hosts
    assert changed.variables["containerd_source"] == "directory"
    assert changed.variables["kubernetes_source"] == "distro"
    assert changed.variables["artifact_directory"] == str(tmp_path)


def test_a_bundle_without_this_systems_packages_is_refused(tmp_path: Path) -> None:
    assert use.bundled_packages(tmp_path, DEBIAN) is None  # made with --no-packages
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/ubuntu-24-amd64.tar.gz").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="no packages for debian-12/amd64, only for ubuntu-24-amd64"):
        use.bundled_packages(tmp_path, DEBIAN)
    (tmp_path / DEBIAN.packages).write_bytes(b"x")
    found = use.bundled_packages(tmp_path, DEBIAN)
    assert found is not None
    assert found["path"] == str(tmp_path / DEBIAN.packages)
