"""What a host says of itself, and what is made of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from installer.control_plane.observe import ClusterState, NodeState
from installer.status.judge import Verdict, as_dict, judge, last_runs
from installer.status.probe import HostStatus, UnitState, parse

# systemctl show prints properties in an order of its own, and a blank line between units.
ANSWER = """receipt containerd
receipt pycri
receipt kubelet
file joined
file socket
version containerd 1.6.20~ds1
version runc 1.1.5
version pycri 0.1.0
version kubelet v1.20.2
unit Id=containerd.service
unit LoadState=loaded
unit ActiveState=active
unit SubState=running
unit NRestarts=0
unit
unit NRestarts=3
unit Id=pycri-io.service
unit LoadState=loaded
unit ActiveState=active
unit SubState=running
unit
unit Id=pycri.service
unit LoadState=loaded
unit ActiveState=active
unit SubState=running
unit
unit Id=kubelet.service
unit LoadState=loaded
unit ActiveState=active
unit SubState=running
unit NRestarts=0
unit
unit Id=nodestrap-pod-network.service
unit LoadState=not-found
unit ActiveState=inactive
unit SubState=dead
unit NRestarts=0
"""
READY = NodeState("n", True, "", "v1.20.2", False)
CLUSTER = ClusterState(nodes={"n": READY}, control_plane="cp", server_version="v1.20.2")


@pytest.fixture
def status() -> HostStatus:
    return parse(ANSWER)


def test_the_answer_is_read_as_systemd_writes_it(status: HostStatus) -> None:
    assert set(status.units) == {"containerd.service", "pycri-io.service", "pycri.service", "kubelet.service"}
    assert status.units["pycri-io.service"] == UnitState("active", "running", 3)
    assert status.versions == {
        "containerd": "1.6.20~ds1",
        "runc": "1.1.5",
        "pycri": "0.1.0",
        "kubelet": "1.20.2",
    }
    assert status.phases == ("runtime", "kubernetes", "joined")


def test_nothing_at_all_is_a_bare_host() -> None:
    bare = parse("version containerd \nversion kubelet \n")
    assert judge(bare, "n", ClusterState()) == Verdict("bare")
    assert bare.phases == ()


def test_a_ready_node_is_ready(status: HostStatus) -> None:
    assert judge(status, "n", CLUSTER) == Verdict("ready")


def test_before_it_joins_it_is_a_runtime(status: HostStatus) -> None:
    assert judge(replace(status, joined=False), "n", ClusterState()) == Verdict("runtime")


def test_a_host_that_is_down_is_code_3() -> None:
    verdict = judge(HostStatus(error="no answer"), "n", CLUSTER)
    assert (verdict.health, verdict.problems, verdict.exit_code) == ("down", ("no answer",), 3)


def test_a_unit_that_does_not_run_is_told_with_its_restarts(status: HostStatus) -> None:
    units = {**status.units, "pycri.service": UnitState("activating", "auto-restart", 7)}
    verdict = judge(replace(status, units=units, socket=False), "n", CLUSTER)
    assert (verdict.health, verdict.exit_code) == ("sick", 7)
    assert verdict.problems == ("pycri.service is activating (auto-restart), restarted 7 times",)


def test_conditions_of_the_cri_are_told(status: HostStatus) -> None:
    verdict = judge(replace(status, conditions={"NetworkReady": "no conflist"}), "n", CLUSTER)
    assert (verdict.problems, verdict.exit_code) == (("NetworkReady: no conflist",), 7)


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (ClusterState(complaint="cp: refused"), "no API server answers: cp: refused"),
        (replace(CLUSTER, nodes={}), "the cluster does not know the node n"),
        (
            replace(CLUSTER, nodes={"n": replace(READY, ready=False, reason="cni plugin not initialized")}),
            "the node is not ready: cni plugin not initialized",
        ),
    ],
)
def test_what_the_cluster_says_is_code_10(status: HostStatus, cluster: ClusterState, said: str) -> None:
    verdict = judge(status, "n", cluster)
    assert (verdict.problems, verdict.exit_code) == ((said,), 10)


def test_an_attempt_that_was_cut_short_is_told(status: HostStatus) -> None:
    assert "cut short" in judge(replace(status, unfinished=True), "n", CLUSTER).problems[0]


def test_the_journal_remembers_hosts_that_are_down() -> None:
    entries = [
        {"event": "run", "run": "1", "command": "up"},
        {"event": "host", "run": "1", "host": "n", "phase": "runtime", "state": "changed", "time": 1.0},
        {"event": "end", "run": "1"},
    ]
    last = last_runs(entries)["n"]
    assert last == {"time": 1.0, "command": "up", "phase": "runtime", "state": "changed"}
    down = HostStatus(error="no answer", fix="plug it in")
    shown = as_dict("n", "worker", down, judge(down, "n", CLUSTER), last)
    assert (shown["health"], shown["last_run"], shown["fix"]) == ("down", last, "plug it in")
