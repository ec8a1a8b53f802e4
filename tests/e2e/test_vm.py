"""The whole path on a host with a kernel of its own: cgroup v2 and the systemd cgroup driver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.vm, pytest.mark.timeout(2400)]

LAB = "machine"
# cgroup v2, the systemd driver, AppArmor and a full set of capabilities: the other hosts have none of them
ONLY_HERE = (
    *("pod.cgroup-parent", "container.resources", "container.update"),
    *("container.unified", "container.hugepages", "container.swap", "container.oom-score"),
    *("container.oom-killed", "container.apparmor"),
)


def test_a_machine_becomes_a_verified_node(tmp_path: Path) -> None:
    nodestrap = Nodestrap(tmp_path)
    try:
        inventory = str(nodestrap.lab_up(LAB, "--backend", "vm"))
        assert nodestrap.on(LAB, "node1", "stat -fc %T /sys/fs/cgroup").strip() == "cgroup2fs"
        first = nodestrap.json("up", "-i", inventory, "--until", "runtime")
        assert [host["state"] for host in first["hosts"]] == ["changed"]
        second = nodestrap.json("up", "-i", inventory, "--until", "runtime")
        assert [host["state"] for host in second["hosts"]] == ["ok"]
        tiers = [word for tier in ("T0", "T1", "T2") for word in ("--tier", tier)]
        said = nodestrap("verify", "-i", inventory, *tiers, "--json", timeout=1500).stdout
        (report,) = json.loads(said)["endpoints"]
        outcomes = {each["id"]: (each["outcome"], each["evidence"]) for each in report["checks"]}
        for name in ONLY_HERE:
            assert outcomes[name][0] == "pass", outcomes[name]
        # Only here has a host a clock of its own to be wrong.
        assert nodestrap.json("doctor", "-i", inventory)["exit_code"] == 0
        nodestrap.on(LAB, "node1", "date -s -400seconds")
        sick = nodestrap.json("doctor", "-i", inventory, code=12)
        assert sick["hosts"][0]["findings"][0]["cause"] == "clock-skew"
        nodestrap.on(LAB, "node1", "date -s +400seconds")
        print(json.dumps({"first": first["phases"], "second": second["phases"]}))
    finally:
        nodestrap.lab_down(LAB)
