"""A bundle, and hosts that no route leads away from: a cluster of nothing else. Minutes, outside CI."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import kubernetes_lab
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(3600)]

LAB = "offline-cluster"
HOSTS = ("node1", "node2")


@pytest.fixture
def nodestrap(tmp_path: Path) -> Iterator[Nodestrap]:
    found = Nodestrap(tmp_path)
    try:
        yield found
    finally:
        found.lab_down(LAB)


def test_a_cluster_from_a_bundle_alone(
    nodestrap: Nodestrap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, bundle = tmp_path / "key", tmp_path / "bundle.tar"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    inventory = nodestrap.lab_up(LAB, "--nodes", str(len(HOSTS)))
    kubernetes_lab.write(inventory)
    nodestrap("bundle", "create", "-i", str(inventory), "-o", str(bundle), "--key", str(key))
    shut_off(nodestrap, inventory, tmp_path, monkeypatch)
    words = ("--bundle", str(bundle), "--bundle-key", str(key.with_suffix(".pub")))
    report = nodestrap.json("up", "-i", str(inventory), *words)
    print(f"up --bundle of {len(HOSTS)} hosts: {report['seconds']} s {report['phases']}")
    assert {host["host"]: host["state"] for host in report["hosts"]} == dict.fromkeys(HOSTS, "changed")
    proved = {check["id"] for check in report["verified"] if check["outcome"] == "pass"}
    assert {"cluster.nodes-ready", "cluster.pod-to-pod", "cluster.service"} <= proved
    for host in HOSTS:
        assert nodestrap.on(LAB, host, "ip route show default; ip -6 route show default") == ""
    again = nodestrap.json("up", "-i", str(inventory), *words)
    assert sum(host["changed"] for host in again["hosts"]) == 0


def shut_off(nodestrap: Nodestrap, inventory: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts have no way out and no package lists; here are no artifacts, cache or package index."""
    for host in HOSTS:
        nodestrap.on(LAB, host, "ip route del default && rm -rf /var/lib/apt/lists/*")
    settings = inventory / "group_vars/nodes.yml"
    variables = yaml.safe_load(settings.read_text())
    del variables["artifact_directory"]
    settings.write_text(yaml.safe_dump(variables))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "empty-cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
