"""Bare lab hosts to a Kubernetes cluster with the real kubeadm and kubelet, and what becomes of it then.

One cluster for all of them: a control plane and two workers, Kubernetes 1.20.2. The first run on a machine
builds that, which takes minutes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import kubernetes_lab
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

HOSTS = ["node1", "node2", "node3"]


@dataclass(frozen=True)
class Cluster:
    """The lab, its inventory, and the first ``up``'s report."""

    nodestrap: Nodestrap
    lab: str
    inventory: Path
    first: dict[str, Any]

    def up(self, *words: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.nodestrap.json("up", "-i", str(self.inventory), *words, code=code)
        return found

    def on(self, host: str, command: str) -> str:
        return self.nodestrap.on(self.lab, host, command)

    def kubectl(self, words: str) -> str:
        return self.on("node1", f"kubectl --kubeconfig /etc/kubernetes/admin.conf {words}")

    def prove(self, *words: str) -> dict[str, dict[str, Any]]:
        """T3 by check."""
        document = self.nodestrap.json("verify", "-i", str(self.inventory), "--tier", "3", *words)
        (endpoint,) = document["endpoints"]
        return {check["id"]: check for check in endpoint["checks"]}

    def await_ready(self, node: str, seconds: float = 120) -> None:
        self.kubectl(f"wait --for=condition=Ready node/{node} --timeout={seconds:.0f}s")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    nodestrap, lab = Nodestrap(tmp_path_factory.mktemp("cluster")), "cluster"
    try:
        inventory = nodestrap.lab_up(lab, "--nodes", "3")
        kubernetes_lab.write(inventory)
        first = nodestrap.json("up", "-i", str(inventory))
        yield Cluster(nodestrap, lab, inventory, first)
    finally:
        nodestrap.lab_down(lab)


def test_bare_hosts_become_a_proved_cluster(cluster: Cluster) -> None:
    report = cluster.first
    assert {host["host"]: host["state"] for host in report["hosts"]} == dict.fromkeys(HOSTS, "changed")
    proved = {
        check["id"] for check in report["verified"] if check["tier"] == 3 and check["outcome"] == "pass"
    }
    assert {"cluster.nodes-ready", "cluster.pod-to-pod", "cluster.service", "cluster.exec"} <= proved
    print(f"up: {report['seconds']} s {report['phases']}")
    for host in report["hosts"]:
        print(f"  {host['host']}: {host['tasks']} tasks ran, {host['skipped_tasks']} skipped")
        assert host["tasks"] <= 60
        assert host["skipped_tasks"] <= 0.1 * host["tasks"]
    nodes = json.loads(cluster.kubectl("get nodes -o json"))["items"]
    runtimes = {node["status"]["nodeInfo"]["containerRuntimeVersion"].partition(":")[0] for node in nodes}
    assert (len(nodes), runtimes) == (3, {"pycri"})


def test_it_is_a_cluster_to_its_users(cluster: Cluster) -> None:
    checks = cluster.prove("--disruptive")
    skipped = {name: check["evidence"] for name, check in checks.items() if check["outcome"] == "skip"}
    assert list(skipped) == ["cluster.dns"], skipped
    assert "CoreDNS" in skipped["cluster.dns"]
    passed = {name for name, check in checks.items() if check["outcome"] == "pass"}
    assert {"cluster.pod-to-pod", "cluster.service", "cluster.host-port", "cluster.daemon-restart"} <= passed
    assert (
        cluster.kubectl(
            "get namespaces -l io.nodestrap.verify --no-headers --field-selector=status.phase=Active"
        )
        == ""
    )


def test_a_workers_endpoint_passes_every_tier_beside_its_kubelet(cluster: Cluster) -> None:
    tiers = ["--tier", "0", "--tier", "1", "--tier", "2", "--pause-kubelet"]
    cluster.nodestrap("verify", "-i", str(cluster.inventory), "--limit", "node3", *tiers)
    cluster.await_ready("node3")


def test_no_secret_stays(cluster: Cluster) -> None:
    """The token is revoked, and never was in an argument that some journal or log has kept."""
    assert "bootstrap-token" not in cluster.kubectl("-n kube-system get secrets -o name")
    token = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")
    logs = (cluster.nodestrap.home / "state/nodestrap/clusters").rglob("*")
    for path in (path for path in logs if path.is_file() and "known_hosts" not in path.name):
        assert not token.search(path.read_text()), path
    for host in HOSTS:
        journal = cluster.on(host, "journalctl --no-pager -o cat; cat /var/lib/nodestrap/receipts/*")
        assert "Kubernetes node agent" in journal, "this reads the right journal"
        assert not token.search(journal), host
        assert (
            cluster.on(
                host, "ls /run/nodestrap-kubeadm-* /etc/kubernetes/bootstrap-kubelet.conf 2>/dev/null || true"
            )
            == ""
        )


def test_the_second_run_changes_nothing(cluster: Cluster) -> None:
    report = cluster.up()
    assert {host["host"]: host["state"] for host in report["hosts"]} == dict.fromkeys(HOSTS, "ok")
    assert sum(host["changed"] for host in report["hosts"]) == 0
    assert "init" not in report["phases"]
    assert "admission" not in report["phases"]
    print(f"second up: {report['seconds']} s {report['phases']}")


def test_a_rebooted_worker_comes_back(cluster: Cluster) -> None:
    boot = cluster.on("node2", "stat -c %Y /proc/1")
    cluster.nodestrap("lab", "stop", "--name", cluster.lab, "node2")
    cluster.nodestrap.lab_up(cluster.lab)
    cluster.on(
        "node2", "until systemctl is-active --quiet pycri kubelet nodestrap-pod-network; do sleep 0.2; done"
    )
    assert cluster.on("node2", "stat -c %Y /proc/1") != boot
    began = time.monotonic()
    cluster.await_ready("node2")
    checks = cluster.prove()
    print(f"after a reboot: ready and proved in {time.monotonic() - began:.1f} s")
    assert checks["cluster.pod-to-pod"]["outcome"] == "pass"


def test_a_label_and_a_taint_reach_a_node_that_is_there(cluster: Cluster) -> None:
    taint = "example.org/tried=yes:PreferNoSchedule"
    settings = {"kubernetes_node_labels": {"example.org/rack": "a"}, "kubernetes_node_taints": [taint]}
    kubernetes_lab.write(cluster.inventory, **settings)
    try:
        report = cluster.up("--until", "network")
        assert all(host["changed"] == 2 for host in report["hosts"])
        assert cluster.kubectl("get nodes -l example.org/rack=a -o name").split() == [
            f"node/{host}" for host in HOSTS
        ]
        assert sum(host["changed"] for host in cluster.up("--until", "network")["hosts"]) == 0
    finally:
        kubernetes_lab.write(cluster.inventory)


def test_a_kubelet_that_was_stopped_is_started_again(cluster: Cluster) -> None:
    cluster.on("node3", "systemctl stop kubelet")
    report = cluster.up("--until", "network")
    assert {host["host"] for host in report["hosts"] if host["state"] == "changed"} == {"node3"}
    cluster.await_ready("node3", 10)


def test_an_upgrade_in_disguise_is_refused_before_anything_changes(cluster: Cluster) -> None:
    wrong = cluster.inventory.parent / "newer"
    (wrong / "group_vars").mkdir(parents=True)
    for name in ("hosts.yml", "group_vars/all.yml"):
        (wrong / name).write_text((cluster.inventory / name).read_text())
    kubernetes_lab.write(wrong, kubernetes_version="1.21.5")
    done = cluster.nodestrap("up", "-i", str(wrong), code=2)
    assert "API server 1.20.2" in done.stderr
    assert "1.21.5" in done.stderr
