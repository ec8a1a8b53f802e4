"""The whole path on a host with a kernel of its own: cgroup v2 and the systemd cgroup driver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.vm, pytest.mark.timeout(2400)]

LAB = "machine"


def test_a_machine_becomes_a_verified_node(tmp_path: Path) -> None:
    nodestrap = Nodestrap(tmp_path)
    try:
        inventory = str(nodestrap.lab_up(LAB, "--backend", "vm"))
        assert nodestrap.on(LAB, "node1", "stat -fc %T /sys/fs/cgroup").strip() == "cgroup2fs"
        first = nodestrap.json("up", "-i", inventory, "--until", "runtime")
        assert [host["state"] for host in first["hosts"]] == ["changed"]
        second = nodestrap.json("up", "-i", inventory, "--until", "runtime")
        assert [host["state"] for host in second["hosts"]] == ["ok"]
        verified = nodestrap("verify", "-i", inventory, "--json").stdout
        assert '"runtime.config"' in verified or "cgroup" in verified
        # Only here has a host a clock of its own to be wrong.
        assert nodestrap.json("doctor", "-i", inventory)["exit_code"] == 0
        nodestrap.on(LAB, "node1", "date -s -400seconds")
        sick = nodestrap.json("doctor", "-i", inventory, code=12)
        assert sick["hosts"][0]["findings"][0]["cause"] == "clock-skew"
        nodestrap.on(LAB, "node1", "date -s +400seconds")
        print(json.dumps({"first": first["phases"], "second": second["phases"]}))
    finally:
        nodestrap.lab_down(LAB)
