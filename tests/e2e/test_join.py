"""Hosts join a cluster and leave it again: of this inventory, of somebody else, and some that are gone.

One control plane and Kubernetes 1.20.2; the first run on a machine builds that, which takes minutes.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import kubernetes_lab
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(3600)]

LAB = "join"


@dataclass(frozen=True)
class Young:
    """A cluster of one control plane, node1; node2 and node3 are bare. ``plan`` was made for all three."""

    nodestrap: Nodestrap
    inventory: Path
    plan: dict[str, Any]
    up: dict[str, Any]

    def __call__(self, *words: str, inventory: Path | None = None, code: int = 0) -> dict[str, Any]:
        source = str(inventory or self.inventory)
        found: dict[str, Any] = self.nodestrap.json(words[0], "-i", source, *words[1:], code=code)
        return found

    def on(self, host: str, command: str) -> str:
        return self.nodestrap.on(LAB, host, command)

    def kubectl(self, words: str) -> str:
        return self.on("node1", f"kubectl --kubeconfig /etc/kubernetes/admin.conf {words}")

    def ready(self) -> set[str]:
        """Names of nodes that are ready."""
        found = kubernetes_lab.readiness(self.kubectl("get nodes -o json"))
        return {name for name, status in found.items() if status == "True"}

    def health(self, code: int = 0) -> dict[str, str]:
        return {host["host"]: host["health"] for host in self("status", code=code)["hosts"]}


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Young]:
    nodestrap = Nodestrap(tmp_path_factory.mktemp("join"))
    try:
        inventory = nodestrap.lab_up(LAB, "--nodes", "3")
        kubernetes_lab.write(inventory)
        alone = ("-i", str(inventory), "--limit", "node1")
        plan = nodestrap.json("plan", "-i", str(inventory))
        yield Young(nodestrap, inventory, plan, nodestrap.json("up", *alone))
    finally:
        nodestrap.lab_down(LAB)


def changes(report: dict[str, Any], host: str) -> set[tuple[str, ...]]:
    (found,) = [each for each in report["hosts"] if each["host"] == host]
    return {(change["kind"], change["name"], *change["actions"]) for change in found["changes"]}


def test_plan_and_up_agree_on_a_control_plane(young: Young) -> None:
    foretold, done = changes(young.plan, "node1"), changes(young.up, "node1")
    print(f"plan and up of a control plane: {len(foretold)} and {len(done)} changes")
    assert foretold == done
    assert ("node", "node1", "init") in done
    assert ("unit", "kubelet.service", "enable", "start") in done


@pytest.fixture(scope="module")
def joined(young: Young) -> dict[str, Any]:
    return young("join", "node2")


def test_a_host_joins_and_one_control_plane_is_asked(young: Young, joined: dict[str, Any]) -> None:
    states = {host["host"]: host["state"] for host in joined["hosts"]}
    assert states == {"node2": "changed", "node1": "ok"}
    assert {"node1", "node2"} <= young.ready()
    assert "bootstrap-token" not in young.kubectl("-n kube-system get secrets -o name")
    print(f"join of one host: {joined['seconds']} s {joined['phases']}, {len(states)} hosts contacted")


def test_plan_and_join_agree_on_a_worker(young: Young, joined: dict[str, Any]) -> None:
    foretold, done = changes(young.plan, "node2"), changes(joined, "node2")
    print(f"plan and join of a worker: {len(foretold)} and {len(done)} changes")
    assert foretold == done
    assert ("node", "node2", "join") in done


def test_a_host_that_is_a_node_is_left_alone(young: Young, joined: dict[str, Any]) -> None:
    again = young("join", "node2")
    assert {host["host"]: host["state"] for host in again["hosts"]} == {"node2": "ok", "node1": "ok"}


@pytest.fixture(scope="module")
def foreign(young: Young, joined: dict[str, Any]) -> dict[str, Any]:
    """node3 joins from an inventory that names no other host, with what kubeadm prints for that."""
    inventory = young.inventory.parent / "foreign"
    shutil.copytree(young.inventory, inventory)
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
    groups = hosts["nodes"]["children"]
    groups["workers"]["hosts"] = {"node3": groups["workers"]["hosts"]["node3"]}
    del groups["control_plane"]
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    words = young.on("node1", "kubeadm token create --print-join-command").split()
    token, ca_hash = (
        words[words.index("--token") + 1],
        words[words.index("--discovery-token-ca-cert-hash") + 1],
    )
    way = ("--token", token, "--endpoint", words[2], "--ca-cert-hash", ca_hash)
    return young("join", "node3", *way, inventory=inventory)


def test_a_host_joins_somebody_elses_cluster(young: Young, foreign: dict[str, Any]) -> None:
    assert [(host["host"], host["state"]) for host in foreign["hosts"]] == [("node3", "changed")]
    assert young.ready() == {"node1", "node2", "node3"}
    print(f"join by token: {foreign['seconds']} s {foreign['phases']}, 1 host contacted")
    report = young("verify", "--tier", "3", "--check", "cluster.pod-to-pod")
    assert report["exit_code"] == 0


def test_status_of_a_healthy_cluster(young: Young, foreign: dict[str, Any]) -> None:
    status = young("status")
    assert {host["host"]: host["health"] for host in status["hosts"]} == dict.fromkeys(
        ("node1", "node2", "node3"), "ready"
    )
    assert status["hosts"][0]["versions"]["kubelet"] == "1.20.2"
    assert status["hosts"][0]["phases"] == ["runtime", "kubernetes", "joined"]


def test_the_kubeconfig_works_from_here(young: Young, joined: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump({"contexts": [{"name": "theirs", "context": {}}]}))
    path.chmod(0o644)
    young("kubeconfig", "--output", str(path), "--name", "lab")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each["name"] for each in yaml.safe_load(path.read_text())["contexts"]] == ["theirs", "lab"]
    kubectl = Path(kubernetes_lab.variables()["artifact_directory"]) / "bin/kubectl"
    argv = [str(kubectl), "--context", "lab", "get", "nodes", "-o", "name"]
    environment = {**os.environ, "KUBECONFIG": str(path)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "node/node1" in done.stdout


@pytest.fixture(scope="module")
def removed(young: Young, foreign: dict[str, Any]) -> dict[str, Any]:
    return young("remove", "node2", "--yes")


def test_a_node_is_removed_and_its_host_reset(young: Young, removed: dict[str, Any]) -> None:
    states = {host["host"]: host["state"] for host in removed["hosts"]}
    assert states == {"node2": "changed", "node1": "ok"}
    assert {("node", "node2", "remove", "drain"), ("node", "this host", "leave")} <= changes(removed, "node2")
    assert "node2" not in young.kubectl("get nodes -o name")
    assert (
        young.on("node2", "ls -d /etc/kubernetes /var/lib/etcd /opt/pycri /opt/cni 2>/dev/null || true") == ""
    )
    assert young.on("node2", "ls -d /etc/nodestrap /var/lib/nodestrap 2>/dev/null || true") == ""
    assert young.on("node2", "ip route show proto 210") == ""
    assert young.on("node2", "iptables-save | grep -c KUBE- || true").strip() == "0"
    assert young.health() == {"node1": "ready", "node2": "bare", "node3": "ready"}
    print(f"remove: {removed['seconds']} s {removed['phases']}")


def test_it_may_come_back(young: Young, removed: dict[str, Any]) -> None:
    young("join", "node2")
    assert "node2" in young.ready()


def test_a_host_that_is_gone_is_only_deleted(young: Young, removed: dict[str, Any]) -> None:
    young.nodestrap("lab", "stop", "--name", LAB, "node3")
    assert young.health(code=3)["node3"] == "down"
    refused = young("remove", "node3", "--yes", code=3)
    assert "node3" in {host["host"] for host in refused["hosts"] if host["state"] == "unreachable"}
    young("remove", "node3", "--yes", "--gone")
    assert "node3" not in young.kubectl("get nodes -o name")
