"""Control planes that die, a controller that is killed: many minutes, outside CI.

scripts/test faults              # $KILLS: how many times the controller is killed, 10 unless given
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import kubernetes_lab
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(7200)]

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


def test_three_control_planes_outlive_the_first(tmp_path: Path) -> None:
    with lab(tmp_path, "three", 4, control_planes=3) as (nodestrap, inventory):
        report = nodestrap.json("up", "-i", str(inventory))
        print(f"up of three control planes and a worker: {report['seconds']} s {report['phases']}")
        assert sum(host["changed"] for host in nodestrap.json("up", "-i", str(inventory))["hosts"]) == 0
        nodestrap("lab", "stop", "--name", "three", "node1")
        began = time.monotonic()
        run = f"{KUBECTL} run after --image=registry.k8s.io/e2e-test-images/busybox:1.29-4 --restart=Never"
        node = '--overrides=\'{"spec": {"nodeSelector": {"kubernetes.io/hostname": "node4"}}}\''
        attempt = f"until {run} {node} -- sleep 600; do sleep 1; done"
        nodestrap.on("three", "node2", attempt)
        nodestrap.on("three", "node2", f"{KUBECTL} wait --for=condition=Ready pod/after --timeout=120s")
        print(f"a pod is scheduled and runs {time.monotonic() - began:.1f} s after node1 lost power")


def test_a_killed_controller_leaves_hosts_that_the_next_run_finishes(tmp_path: Path) -> None:
    kills = int(os.environ.get("KILLS", "10"))
    with lab(tmp_path / "whole", "kill", 2) as (nodestrap, inventory):
        whole = nodestrap.json("up", "-i", str(inventory))
    phases, chance = whole["phases"], random.Random()
    print(f"an undisturbed up: {whole['seconds']} s {phases}")
    for number in range(kills):
        moment = chance.uniform(0.5, whole["seconds"])
        with lab(tmp_path / str(number), "kill", 2) as (nodestrap, inventory):
            killed = _killed_at(nodestrap, inventory, moment)
            report = nodestrap.json("up", "-i", str(inventory))
        states = {host["host"]: host["state"] for host in report["hosts"]}
        print(f"killed after {moment:.1f} s {killed}: then {report['seconds']} s, {states}")
        assert report["exit_code"] == 0
        assert "verify" in report["phases"]


def _killed_at(nodestrap: Nodestrap, inventory: Path, moment: float) -> str:
    """Start `up`, kill it after so many seconds; returns where it was."""
    argv = [sys.executable, "-m", "installer.cli", "up", "-i", str(inventory)]
    env = {**os.environ, "XDG_STATE_HOME": str(nodestrap.home / "state"), "NO_COLOR": "1"}
    log = nodestrap.home / "killed.log"
    with (
        log.open("w") as output,
        subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as running,
    ):
        try:
            running.wait(moment)
        except subprocess.TimeoutExpired:
            running.kill()
    lines = [line.strip() for line in log.read_text().splitlines() if "== " in line]
    return f"in {lines[-1].partition('== ')[2]}" if lines else "before the first phase"
