"""Control planes that die, a controller that is killed: many minutes, outside CI.

scripts/test faults              # $KILLS: how many times the controller is killed, 10 unless given
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from installer import journal
from tests.support import kubernetes_lab
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(7200)]

KILLS = int(os.environ.get("KILLS", "10"))
KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"


@contextmanager
def lab(home: Path, name: str, nodes: int, control_planes: int = 1) -> Iterator[tuple[Nodestrap, Path]]:
    nodestrap = Nodestrap(home)
    try:
        inventory = nodestrap.lab_up(name, "--nodes", str(nodes))
        if control_planes > 1:
            inventory = _promote(inventory, control_planes)
        kubernetes_lab.write(inventory)
        yield nodestrap, inventory
    finally:
        nodestrap.lab_down(name)


def _promote(inventory: Path, control_planes: int) -> Path:
    """A copy of the inventory beside it, with more control planes."""
    copy = inventory.parent / f"{inventory.name}-several"
    (copy / "group_vars").mkdir(parents=True)
    (copy / "group_vars/all.yml").write_text((inventory / "group_vars/all.yml").read_text())
    groups = yaml.safe_load((inventory / "hosts.yml").read_text())["nodes"]["children"]
    hosts: dict[str, Any] = {**groups["control_plane"]["hosts"], **groups["workers"]["hosts"]}
    names = list(hosts)
    chosen = {
        "control_plane": {"hosts": {name: hosts[name] for name in names[:control_planes]}},
        "workers": {"hosts": {name: hosts[name] for name in names[control_planes:]}},
    }
    (copy / "hosts.yml").write_text(yaml.safe_dump({"nodes": {"children": chosen}}))
    return copy


@dataclass(frozen=True)
class Several:
    """A cluster of three control planes, node1 to node3, and a worker."""

    nodestrap: Nodestrap
    inventory: Path
    first: dict[str, Any]

    def __call__(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = self.nodestrap.json(words[0], "-i", str(self.inventory), *words[1:])
        return found

    def on(self, host: str, command: str) -> str:
        return self.nodestrap.on("three", host, command)

    def members(self) -> set[str]:
        """Names of etcd's members, as node2's own says."""
        return set(json.loads(self.on("node2", f"python3 -c '{_MEMBERS}'")))


_MEMBERS = """
import json, ssl, urllib.request
pki = "/etc/kubernetes/pki/etcd/"
context = ssl.create_default_context(cafile=pki + "ca.crt")
context.load_cert_chain(pki + "peer.crt", pki + "peer.key")
url = "https://127.0.0.1:2379/v3/cluster/member/list"
with urllib.request.urlopen(url, b"{}", timeout=10, context=context) as answer:
    print(json.dumps([member["name"] for member in json.load(answer)["members"]]))
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    with lab(tmp_path_factory.mktemp("three"), "three", 4, control_planes=3) as (nodestrap, inventory):
        yield Several(nodestrap, inventory, nodestrap.json("up", "-i", str(inventory)))


def test_three_control_planes_are_proved_by_one_up(several: Several) -> None:
    report = several.first
    print(f"up of three control planes and a worker: {report['seconds']} s {report['phases']}")
    assert "cluster.service" in {check["id"] for check in report["verified"] if check["outcome"] == "pass"}
    assert several.members() == {"node1", "node2", "node3"}
    assert sum(host["changed"] for host in several("up")["hosts"]) == 0


def test_the_cluster_outlives_its_first_control_plane(several: Several) -> None:
    several.nodestrap("lab", "stop", "--name", "three", "node1")
    began = time.monotonic()
    run = f"{KUBECTL} run after --image=registry.k8s.io/e2e-test-images/busybox:1.29-4 --restart=Never"
    node = '--overrides=\'{"spec": {"nodeSelector": {"kubernetes.io/hostname": "node4"}}}\''
    several.on("node2", f"until {run} {node} -- sleep 600; do sleep 1; done")
    several.on("node2", f"{KUBECTL} wait --for=condition=Ready pod/after --timeout=120s")
    print(f"a pod is scheduled and runs {time.monotonic() - began:.1f} s after node1 lost power")
    several.nodestrap.lab_up("three")
    several.on("node2", f"{KUBECTL} wait --for=condition=Ready node/node1 --timeout=180s")


def test_a_control_plane_leaves_and_comes_back(several: Several) -> None:
    # what the proof had begun to delete when node1 lost power; kubectl drain refuses such pods
    left = f"{KUBECTL} get namespaces -l io.nodestrap.verify --no-headers"
    several.on("node2", f"while {left} | grep .; do sleep 1; done")
    several("remove", "node3", "--yes")
    assert several.members() == {"node1", "node2"}
    assert "node3" not in several.on("node2", f"{KUBECTL} get nodes -o name")
    assert several.on("node3", "ls -d /etc/kubernetes /var/lib/etcd 2>/dev/null || true") == ""
    report = several("join", "node3")
    print(f"join of a control plane: {report['seconds']} s {report['phases']}")
    assert several.members() == {"node1", "node2", "node3"}
    several("verify", "--tier", "3", "--check", "cluster.service")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Seconds that each phase of an `up` of two bare hosts takes here."""
    with lab(tmp_path_factory.mktemp("whole"), "kill", 2) as (nodestrap, inventory):
        whole = nodestrap.json("up", "-i", str(inventory))
    print(f"an undisturbed up: {whole['seconds']} s {whole['phases']}")
    phases: dict[str, float] = whole["phases"]
    return phases


@pytest.mark.parametrize("number", range(KILLS))
def test_the_next_up_finishes_what_a_killed_controller_left(
    tmp_path: Path, undisturbed: dict[str, float], number: int
) -> None:
    """Bare hosts each time; the moments are random, one in each KILLS-th part of an `up`."""
    phase, seconds = _moment(undisturbed, (number + random.random()) / KILLS)
    with lab(tmp_path, "kill", 2) as (nodestrap, inventory):
        where = _killed_in(nodestrap, inventory, phase, seconds)
        report = nodestrap.json("up", "-i", str(inventory))
        print(f"killed {where}: then {report['seconds']} s {report['phases']}")
        assert "verify" in report["phases"]
        nodes = nodestrap.on("kill", "node1", f"{KUBECTL} get nodes -o json")
        assert kubernetes_lab.readiness(nodes) == {"node1": "True", "node2": "True"}
        assert "bootstrap-token" not in nodestrap.on("kill", "node1", f"{KUBECTL} -n kube-system get secrets")
        for node in ("node1", "node2"):
            left = "ls -d /run/nodestrap-kubeadm-*.yaml /etc/kubernetes/bootstrap-kubelet.conf 2>/dev/null"
            assert nodestrap.on("kill", node, f"{left} || true") == ""


def _moment(phases: dict[str, float], share: float) -> tuple[str, float]:
    """The phase, and the seconds into it, after this share of all phases' time."""
    left = share * sum(phases.values())
    for phase, seconds in phases.items():
        if left <= seconds:
            return phase, left
        left -= seconds
    return list(phases.items())[-1]


def _killed_in(nodestrap: Nodestrap, inventory: Path, phase: str, seconds: float) -> str:
    """Start `up`, kill it so long after the phase began, or when that has ended; returns where it was."""
    argv = [sys.executable, "-m", "installer.cli", "up", "-i", str(inventory)]
    env = {**os.environ, "XDG_STATE_HOME": str(nodestrap.home / "state"), "NO_COLOR": "1"}
    log, began, came = nodestrap.home / "killed.log", time.monotonic(), None
    with (
        log.open("w") as output,
        subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as running,
    ):
        while running.poll() is None:
            begun = _begun(nodestrap)
            if phase in begun:
                came = came or time.monotonic()
                if begun[-1] != phase or time.monotonic() - came >= seconds:
                    running.kill()
                    break
            with suppress(subprocess.TimeoutExpired):
                running.wait(0.05)
    assert running.returncode == -signal.SIGKILL, f"it ended by itself\n{log.read_text()}"
    last = [line.strip() for line in log.read_text().splitlines() if line.strip()][-1:]
    where = f"in {_begun(nodestrap)[-1]}, {seconds:.1f} s after {phase} began"
    return f"after {time.monotonic() - began:.1f} s {where}, having said {last}"


def _begun(nodestrap: Nodestrap) -> list[str]:
    """The phases that the journal knows of, in order."""
    return [
        str(entry["phase"])
        for path in (nodestrap.home / "state/nodestrap/clusters").glob("*/journal.jsonl")
        for entry in journal.read(path)
        if entry["event"] == "phase"
    ]
