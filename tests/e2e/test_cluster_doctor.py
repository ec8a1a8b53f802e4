"""Sick nodes of a real cluster: what needs an API server to fall over. Minutes, outside CI.

node1 is a control plane; node2 is bare, and does not get into the cluster until the end. What a kubelet alone
can be sick of is in test_doctor.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import kubernetes_lab
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(3600)]

LAB = "sick-cluster"
KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
API = "/etc/kubernetes/manifests/kube-apiserver.yaml"
NOBODYS = "abcdef.0123456789abcdef"
WRONG_HASH = f"sha256:{'0' * 64}"


@dataclass(frozen=True)
class Ward:
    """The lab, the control plane's inventory, and one that knows node2 and no other host."""

    nodestrap: Nodestrap
    inventory: Path
    foreign: Path

    def on(self, command: str) -> str:
        return self.nodestrap.on(LAB, "node1", command)

    def causes(self, inventory: Path, code: int) -> list[tuple[str, str]]:
        """Causes and their evidence, the likeliest first."""
        document = self.nodestrap.json("doctor", "-i", str(inventory), code=code)
        found = [each for host in document["hosts"] for each in host["findings"] if each["weight"] == "cause"]
        assert all(each["fix"] for each in found)
        return [(each["cause"], each["evidence"]) for each in found]

    def join(self, *words: str, code: int) -> dict[str, Any]:
        found: dict[str, Any] = self.nodestrap.json(
            "join", "node2", "-i", str(self.foreign), *words, code=code
        )
        return found

    def words(self) -> tuple[str, str, str]:
        """The endpoint, a token and the CA's hash, as kubeadm prints them for a join."""
        said = self.on("kubeadm token create --print-join-command").split()
        return (
            said[2],
            said[said.index("--token") + 1],
            said[said.index("--discovery-token-ca-cert-hash") + 1],
        )

    @contextmanager
    def sick(self, cure: str) -> Iterator[None]:
        """What is done in the block is undone, and the API server answers again."""
        try:
            yield
        finally:
            # A kubelet that starts anew does not wait before it restarts what has died.
            self.on(
                f"{cure}; systemctl restart kubelet; until {KUBECTL} get --raw /readyz; do sleep 0.5; done"
            )


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    nodestrap = Nodestrap(tmp_path_factory.mktemp("ward"))
    try:
        inventory = nodestrap.lab_up(LAB, "--nodes", "2")
        kubernetes_lab.write(inventory)
        foreign = inventory.parent / "foreign"
        shutil.copytree(inventory, foreign)
        for path, group, host in ((inventory, "workers", "node2"), (foreign, "control_plane", "node1")):
            hosts = yaml.safe_load((path / "hosts.yml").read_text())
            del hosts["nodes"]["children"][group]["hosts"][host]
            (path / "hosts.yml").write_text(yaml.safe_dump(hosts))
        nodestrap("up", "-i", str(inventory))
        yield Ward(nodestrap, inventory, foreign)
    finally:
        nodestrap.lab_down(LAB)


@pytest.fixture(scope="module")
def discovery(ward: Ward, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the cluster tells whoever asks: its API server and CA, and no token."""
    path = tmp_path_factory.mktemp("discovery") / "cluster-info.yaml"
    path.write_text(
        ward.on(f"{KUBECTL} -n kube-public get cm cluster-info -o jsonpath='{{.data.kubeconfig}}'")
    )
    return path


def test_the_token_of_a_cluster_that_nobody_joined_is_taken_back(ward: Ward) -> None:
    assert "bootstrap-token" not in ward.on(f"{KUBECTL} -n kube-system get secrets -o name")


def test_a_healthy_control_plane_has_no_cause(ward: Ward) -> None:
    assert ward.causes(ward.inventory, 0) == []


@pytest.fixture(scope="module")
def expired(ward: Ward) -> str:
    """A token that was good for a second."""
    token = ward.on("kubeadm token create --ttl 1s").split()[-1]
    secret = f"bootstrap-token-{token.partition('.')[0]}"
    ward.on(f"while {KUBECTL} -n kube-system get secret {secret}; do sleep 0.5; done")
    return token


@pytest.mark.parametrize(
    ("age", "way"),
    # kubeadm looks for the endpoint's signature by the token for five minutes: once is enough
    [("expired", "discovery file"), ("never issued", "discovery file"), ("expired", "endpoint")],
)
def test_a_token_that_is_not_valid(ward: Ward, discovery: Path, expired: str, age: str, way: str) -> None:
    token = expired if age == "expired" else NOBODYS
    if way == "endpoint":
        endpoint, _, ca_hash = ward.words()
        ward.join("--endpoint", endpoint, "--token", token, "--ca-cert-hash", ca_hash, code=6)
    else:
        ward.join("--discovery-file", str(discovery), "--token", token, code=6)
    found = ward.causes(ward.foreign, 12)
    print(f"a token that was {age}, by {way}: {found}")
    assert found[0][0] == "expired-token"
    assert token not in found[0][1]


def test_a_wrong_ca_is_no_expired_token(ward: Ward) -> None:
    endpoint, token, _ = ward.words()
    ward.join("--endpoint", endpoint, "--token", token, "--ca-cert-hash", WRONG_HASH, code=6)
    assert "expired-token" not in dict(ward.causes(ward.foreign, 12))


def test_dead_etcd(ward: Ward) -> None:
    cure = "rm -f /var/lib/etcd/member; mv /root/member /var/lib/etcd/member"
    newest = "crictl ps -aq --name '^etcd$' | head -n1"
    with ward.sick(cure):
        ward.on("mv /var/lib/etcd/member /root/member; touch /var/lib/etcd/member")
        ward.on(f"crictl stop --timeout 0 $({newest})")
        ward.on(f"until crictl logs $({newest}) 2>&1 | grep -q 'not a directory'; do sleep 0.5; done")
        found = ward.causes(ward.inventory, 12)
        print(f"dead etcd: {found}")
        assert found[0][0] == "etcd-dead"
        assert "not a directory" in found[0][1]


def test_a_dead_api_server_is_no_dead_etcd(ward: Ward) -> None:
    newest = "crictl ps -aq --name '^kube-apiserver$' | head -n1"
    with ward.sick(f"mv /root/api.yaml {API}"):
        ward.on(f"cp {API} /root/api.yaml; sed -i 's/- kube-apiserver$/&\\n    - --no-such-flag=1/' {API}")
        ward.on(f"until crictl logs $({newest}) 2>&1 | grep -q 'unknown flag'; do sleep 0.5; done")
        found = ward.causes(ward.inventory, 12)
        print(f"dead API server: {found}")
        assert found[0][0] == "static-pod-dead"
        assert "no-such-flag" in found[0][1]
        assert "etcd-dead" not in dict(found)


def test_the_cured_control_plane_is_healthy_again(ward: Ward) -> None:
    ward.on(f"{KUBECTL} wait --for=condition=Ready node/node1 --timeout=120s")
    assert ward.causes(ward.inventory, 0) == []


def test_a_host_joins_with_a_discovery_file(ward: Ward, discovery: Path, tmp_path: Path) -> None:
    """None of the cluster's hosts is in the inventory; the file holds the token, too."""
    document = yaml.safe_load(discovery.read_text())
    document["users"] = [{"name": "joiner", "user": {"token": ward.words()[1]}}]
    path = tmp_path / "discovery.yaml"
    path.write_text(yaml.safe_dump(document))
    report = ward.join("--discovery-file", str(path), code=0)
    print(f"join by discovery file: {report['seconds']} s {report['phases']}")
    assert [(host["host"], host["state"]) for host in report["hosts"]] == [("node2", "changed")]
    ward.on(f"{KUBECTL} wait --for=condition=Ready node/node2 --timeout=60s")
    ward.nodestrap(
        "lab", "exec", "--name", LAB, "node2", "--", "test", "!", "-e", "/run/nodestrap-discovery.conf"
    )
    assert ward.causes(ward.foreign, 0) == []
