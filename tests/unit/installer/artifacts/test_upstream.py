"""Release files by URL with pinned sums, through the public ``resolve``."""

from __future__ import annotations

import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.artifacts import COMPONENTS, ArtifactSpec, resolve, upstream
from installer.errors import EXIT_ARTIFACT, ArtifactError, UsageError
from tests.unit.installer.artifacts.release_server import Releases

BODY = b"a runc of our own"
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runc that the server has, as if its sum stood in checksums.yml."""
    pins = {
        "runc": {
            "url": "https://github.com/opencontainers/runc/releases/download/v{version}/runc.{architecture}",
            "default": "9.9.9",
            "sha256": {"amd64": {"9.9.9": SHA256}, "arm64": {}},
        }
    }
    monkeypatch.setattr(upstream, "_pins", lambda: pins)


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_every_component_has_sums_for_both_architectures_and_a_default(
    component: str, architecture: str
) -> None:
    versions = upstream.versions(component, architecture)
    assert upstream.default_version(component) in versions
    sums = {upstream.pinned_sha256(component, version, architecture) for version in versions}
    assert len(sums) == len(versions)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in sums)


def test_the_architectures_differ() -> None:
    for component in COMPONENTS:
        version = upstream.default_version(component)
        assert upstream.pinned_sha256(component, version, "amd64") != upstream.pinned_sha256(
            component, version, "arm64"
        )


@given(version=st.text(max_size=12))
def test_a_version_without_a_sum_is_refused_never_trusted(version: str) -> None:
    if version in upstream.versions("kubelet", "amd64"):
        return
    with pytest.raises(ArtifactError, match="no sha256 is pinned for kubelet"):
        upstream.pinned_sha256("kubelet", version, "amd64")


def test_a_near_version_is_suggested() -> None:
    with pytest.raises(ArtifactError, match=r"Did you mean '1\.36\.4'") as caught:
        upstream.pinned_sha256("kubelet", "v1.36.4", "amd64")
    assert caught.value.exit_code == EXIT_ARTIFACT


@pytest.mark.usefixtures("pinned")
def test_a_mirror_of_everything_keeps_upstreams_paths(releases: Releases, tmp_path: Path) -> None:
    path = "/mirror/github.com/opencontainers/runc/releases/download/v9.9.9/runc.amd64"
    releases.files[path] = BODY
    spec = ArtifactSpec("runc", "upstream", "amd64", base_url=f"{releases.url}/mirror/")
    found = resolve(spec, tmp_path)
    assert found is not None
    assert found.path.read_bytes() == BODY
    assert found.as_variable() == {
        "path": str(tmp_path / SHA256 / "runc-9.9.9-linux-amd64"),
        "sha256": SHA256,
        "version": "9.9.9",
    }
    assert resolve(spec, tmp_path) == found
    assert len(releases.requests) == 1  # the second came from the cache


@pytest.mark.usefixtures("pinned")
def test_a_components_own_mirror_is_flat_and_goes_first(releases: Releases, tmp_path: Path) -> None:
    releases.files["/flat/runc.amd64"] = BODY
    mirrors = {"runc": f"{releases.url}/flat"}
    spec = ArtifactSpec("runc", "upstream", "amd64", base_url="http://127.0.0.1:1", mirrors=mirrors)
    assert resolve(spec, tmp_path) is not None


@pytest.mark.usefixtures("pinned")
def test_a_rotten_cache_entry_is_fetched_again(releases: Releases, tmp_path: Path) -> None:
    releases.files["/runc.amd64"] = BODY
    spec = ArtifactSpec("runc", "upstream", "amd64", mirrors={"runc": releases.url})
    found = resolve(spec, tmp_path)
    assert found is not None
    found.path.write_bytes(b"rot")
    assert resolve(spec, tmp_path) == found
    assert found.path.read_bytes() == BODY


@pytest.mark.usefixtures("pinned")
def test_two_controllers_fetch_a_file_once(releases: Releases, tmp_path: Path) -> None:
    releases.files["/runc.amd64"] = BODY
    releases.gate = threading.Event()
    spec = ArtifactSpec("runc", "upstream", "amd64", mirrors={"runc": releases.url})
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(resolve, spec, tmp_path) for _ in range(4)]
        releases.gate.set()
        found = {result.result(timeout=20) for result in results}
    assert len(found) == 1
    assert len(releases.requests) == 1


def test_an_unwritable_cache_is_an_artifact_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spec = ArtifactSpec("runc", "upstream", "amd64")
    with pytest.raises(ArtifactError, match=r"cache .* cannot be written"):
        resolve(spec, tmp_path / "file")


def test_distro_needs_no_file(tmp_path: Path) -> None:
    assert resolve(ArtifactSpec("containerd", "distro", "arm64"), tmp_path) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("containred", "distro", "amd64"), "unknown component 'containred'. Did you mean 'containerd'"),
        (("runc", "upsteam", "amd64"), "unknown source 'upsteam'. Did you mean 'upstream'"),
        (("runc", "upstream", "riscv64"), "unknown architecture 'riscv64'"),
        (("runc", "directory", "amd64"), "no directory is named"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(arguments: tuple[str, str, str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        ArtifactSpec(*arguments)
