"""A cluster without a pod network, and with somebody else's from a manifest. Minutes, outside CI.

The manifest does on a small scale what flannel's or calico's do: a DaemonSet on the host's network writes
each node's CNI configuration and routes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import kubernetes_lab
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(1800)]

LAB = "networks"
IMAGE = "registry.k8s.io/e2e-test-images/busybox:1.29-4"
SUBNETS = {"node1": "10.244.101.0/24", "node2": "10.244.102.0/24"}


@dataclass(frozen=True)
class Cluster:
    nodestrap: Nodestrap
    inventory: Path

    def up(self, **variables: str) -> dict[str, Any]:
        kubernetes_lab.write(self.inventory, **variables)
        found: dict[str, Any] = self.nodestrap.json("up", "-i", str(self.inventory))
        return found

    def kubectl(self, words: str) -> str:
        return self.nodestrap.on(LAB, "node1", f"kubectl --kubeconfig /etc/kubernetes/admin.conf {words}")

    def readiness(self) -> dict[str, str]:
        return kubernetes_lab.readiness(self.kubectl("get nodes -o json"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    nodestrap = Nodestrap(tmp_path_factory.mktemp("networks"))
    try:
        yield Cluster(nodestrap, nodestrap.lab_up(LAB, "--nodes", "2"))
    finally:
        nodestrap.lab_down(LAB)


@pytest.fixture(scope="module")
def without(cluster: Cluster) -> dict[str, Any]:
    return cluster.up(pod_network="none")


def test_without_a_pod_network_nodes_wait_for_one(cluster: Cluster, without: dict[str, Any]) -> None:
    assert {host["host"]: host["state"] for host in without["hosts"]} == dict.fromkeys(SUBNETS, "changed")
    assert any("pod_network is none" in warning for warning in without["warnings"])
    assert "verify" not in without["phases"]
    assert cluster.readiness() == dict.fromkeys(SUBNETS, "False")


def test_a_manifest_is_applied_and_proved(cluster: Cluster, without: dict[str, Any], tmp_path: Path) -> None:
    manifest = tmp_path / "network.yaml"
    manifest.write_text(_manifest(cluster.inventory))
    report = cluster.up(pod_network="manifest", pod_network_manifest=str(manifest))
    print(f"up with a manifest: {report['seconds']} s {report['phases']}")
    assert cluster.readiness() == dict.fromkeys(SUBNETS, "True")
    outcomes = {check["id"]: check["outcome"] for check in report["verified"] if check["tier"] == 3}
    assert {"cluster.pod-to-pod", "cluster.service"} <= {
        name for name, outcome in outcomes.items() if outcome == "pass"
    }
    units = cluster.nodestrap.on(LAB, "node2", "ls /etc/systemd/system")
    assert "nodestrap-pod-network.service" not in units
    again = cluster.up(pod_network="manifest", pod_network_manifest=str(manifest))
    assert sum(host["changed"] for host in again["hosts"]) == 0


def _manifest(inventory: Path) -> str:
    groups = yaml.safe_load((inventory / "hosts.yml").read_text())["nodes"]["children"]
    addresses = {
        name: host["ansible_host"] for group in groups.values() for name, host in group["hosts"].items()
    }
    routes = "; ".join(
        f"[ $NODE = {name} ] || ip route replace {subnet} via {addresses[name]}"
        for name, subnet in SUBNETS.items()
    )
    choice = " ".join(f"{name}) subnet={subnet};;" for name, subnet in SUBNETS.items())
    conflist = {
        "cniVersion": "0.4.0",
        "name": "theirs",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "theirs0",
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {"type": "host-local", "subnet": "SUBNET", "routes": [{"dst": "0.0.0.0/0"}]},
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    script = (
        f"case $NODE in {choice} esac; {routes}; "
        'echo "$CONFLIST" | sed "s|SUBNET|$subnet|" > /net.d/.theirs; '
        "mv /net.d/.theirs /net.d/20-theirs.conflist; while true; do sleep 3600; done"
    )
    labels = {"app": "theirs"}
    container = {
        "name": "agent",
        "image": IMAGE,
        "command": ["sh", "-ec", script],
        "env": [
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "CONFLIST", "value": json.dumps(conflist)},
        ],
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "net", "mountPath": "/net.d"}],
    }
    pod = {
        "hostNetwork": True,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "net", "hostPath": {"path": "/etc/cni/net.d"}}],
    }
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "theirs", "namespace": "kube-system"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
    )
