"""A bundle made with a network, used on a host without one: no route leads out of its bridge."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

LAB = "offline"


@dataclass(frozen=True)
class Offline:
    """A lab host with no way out, a signed bundle, and the key that signed it."""

    nodestrap: Nodestrap
    inventory: Path
    bundle: Path
    key: Path

    def up(self, *words: str, code: int = 0) -> dict[str, str]:
        report = self.nodestrap.json("up", "-i", str(self.inventory), "--until", "runtime", *words, code=code)
        return {host["host"]: host["state"] for host in report["hosts"]}

    def on(self, command: str) -> str:
        return self.nodestrap.on(LAB, "node1", command)


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offline]:
    home = tmp_path_factory.mktemp("offline")
    nodestrap, key, bundle = Nodestrap(home), home / "key", home / "bundle.tar"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    try:
        inventory = nodestrap.lab_up(LAB, "--nodes", "1")
        nodestrap("bundle", "create", "-i", str(inventory), "-o", str(bundle), "--key", str(key))
        found = Offline(nodestrap, inventory, bundle, key.with_suffix(".pub"))
        found.on("ip route del default && rm -rf /var/lib/apt/lists/*")
        yield found
    finally:
        nodestrap.lab_down(LAB)


@pytest.fixture(scope="module")
def first(offline: Offline, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With the bundle alone: a cache that holds nothing yet, and no package index for pip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("empty-cache")))
        patch.setenv("PIP_NO_INDEX", "1")
        return offline.up("--bundle", str(offline.bundle), "--bundle-key", str(offline.key))


def test_it_is_shown_and_verified(offline: Offline) -> None:
    shown = offline.nodestrap.json("bundle", "show", str(offline.bundle))
    assert shown["targets"] == ["debian-12/amd64"]
    assert "packages/debian-12-amd64.tar.gz" in shown["files"]
    offline.nodestrap("bundle", "verify", str(offline.bundle), "--key", str(offline.key))


def test_a_host_without_a_network_becomes_a_cri_node(offline: Offline, first: dict[str, str]) -> None:
    assert first == {"node1": "changed"}
    assert offline.on("ip route show default") == ""
    offline.nodestrap("verify", "-i", str(offline.inventory), "--tier", "0")


def test_the_second_run_changes_nothing(offline: Offline, first: dict[str, str]) -> None:
    assert offline.up("--bundle", str(offline.bundle)) == {"node1": "ok"}


def test_without_the_bundle_its_packages_go(offline: Offline, first: dict[str, str]) -> None:
    """And the host's own sources are as they were, for whatever is installed later."""
    assert offline.up() == {"node1": "changed"}
    offline.on("test ! -e /var/lib/nodestrap/os-packages/Packages")
    assert "debian" in offline.on("cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true")
    offline.on("systemctl is-active containerd pycri")


def test_a_bundle_of_somebody_else_is_refused_before_anything_happens(
    offline: Offline, first: dict[str, str], tmp_path: Path
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "k")], check=True)
    words = ("--bundle", str(offline.bundle), "--bundle-key", str(tmp_path / "k.pub"))
    done = offline.nodestrap("up", "-i", str(offline.inventory), *words, code=5)
    assert "signature is not by" in done.stderr
