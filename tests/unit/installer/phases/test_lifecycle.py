"""The phases of join, remove and reset; connections and clusters are stand-ins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from installer.cluster.spec import HostSpec
from installer.control_plane.access import Access
from installer.control_plane.observe import ClusterState, HostState, NodeState
from installer.errors import ClusterError, ConnectError
from installer.kubeadm.settings import Discovery, Secrets
from installer.phases import connect as connect_phase
from installer.phases import drain, foreign, remove_pods, ssh_answers
from installer.phases.through import Through
from installer.progress import Silent
from installer.report import HostState as Outcome
from installer.run import Run
from installer.ssh.connection import CommandResult
from tests.unit.installer.hosts import cluster, host

NODE = NodeState("w1", True, "", "v1.20.2", False, addresses=("10.0.0.11",))
STATE = ClusterState({"w1": HostState(joined=True)}, {"w1": NODE}, "cp1", "v1.20.2")


def worker(name: str, **variables: Any) -> HostSpec:
    return replace(host(name, **variables), groups=frozenset({"workers", "nodes", "all"}))


class FakeConnection:
    newly_pinned = None

    def __init__(self, host: str = "w1", answers: list[CommandResult] | None = None) -> None:
        self.host, self.answers, self.ran = host, answers or [], []  # type: ignore[var-annotated]

    def __enter__(self) -> FakeConnection:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, argv: list[str], stdin: bytes = b"", timeout: float = 60.0) -> CommandResult:
        self.ran.append((" ".join(argv), stdin))
        return self.answers.pop(0) if self.answers else CommandResult(0, b"", b"")

    def close(self) -> None: ...


@pytest.fixture
def run(tmp_path: Path) -> Run:
    joining, control_planes = worker("w1"), (host("cp1"), host("cp2"), host("cp3"))
    spec = cluster(joining, state_dir=tmp_path)
    return Run(
        spec=spec, progress=Silent(), workdir=tmp_path, everyone=(*control_planes, joining, worker("w2"))
    )


def connecting(monkeypatch: pytest.MonkeyPatch, *down: str) -> list[str]:
    """Who was contacted, in order."""
    contacted: list[str] = []

    def connect(name: str, *_: Any) -> FakeConnection:
        contacted.append(name)
        if name in down:
            raise ConnectError(f"{name} does not answer")
        return FakeConnection(name)

    monkeypatch.setattr(connect_phase, "connect", connect)
    return contacted


def test_the_host_and_one_control_plane_are_contacted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    contacted = connecting(monkeypatch)
    Through().run(run)
    assert contacted == ["w1", "cp1"]
    assert [each.name for each in run.active] == ["w1"]
    assert [each.name for each in run.asked] == ["w1", "cp1"]


def test_the_next_control_plane_is_tried_when_one_is_down(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    contacted = connecting(monkeypatch, "cp1")
    Through().run(run)
    assert contacted == ["w1", "cp1", "cp2"]
    assert run.bystanders == {"cp2"}
    assert run.outcomes == {}


def test_without_any_control_plane_the_host_is_left_as_it_is(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting(monkeypatch, "cp1", "cp2", "cp3")
    Through().run(run)
    outcome = run.outcomes["w1"]
    assert (outcome.state, outcome.exit_code) == (Outcome.SKIPPED, 3)
    assert "cp3: cp3 does not answer" in str(outcome.reason)


def test_a_host_that_is_down_contacts_nobody_else(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    contacted = connecting(monkeypatch, "w1")
    Through().run(run)
    assert contacted == ["w1"]


def test_hosts_that_are_gone_are_not_contacted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    contacted = connecting(monkeypatch)
    Through(control_plane_only=True).run(run)
    assert contacted == ["cp1"]


class Kubectl:
    def __init__(self, refusal: str = "") -> None:
        self.said: list[str] = []
        self._refusal = refusal

    def __call__(self, *words: str, **_: Any) -> str:
        self.said.append(" ".join(words))
        if self._refusal:
            raise ClusterError(self._refusal)
        return ""

    def delete(self, *words: str) -> None:
        self.said.append("delete " + " ".join(words))


@pytest.fixture
def removing(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    connecting(monkeypatch)
    Through().run(run)
    return run


def kubectl(monkeypatch: pytest.MonkeyPatch, state: ClusterState, refusal: str = "") -> Kubectl:
    found = Kubectl(refusal)
    monkeypatch.setattr(drain, "observe", lambda *_: state)
    monkeypatch.setattr(drain, "kubectl_on", lambda _: found)
    return found


def test_a_node_is_drained_and_then_deleted(removing: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    said = kubectl(monkeypatch, STATE).said
    drain.Drain().run(removing)
    assert said == ["drain w1 --ignore-daemonsets --delete-emptydir-data --timeout=300s"]
    drain.DeleteNode().run(removing)
    assert said[1:] == ["delete node w1"]
    assert removing.changed == {"w1": 2}


def test_the_option_for_empty_dirs_has_its_old_name_before_1_20(removing: Run) -> None:
    removing.force = True
    words = drain.drain_words(removing, NODE, replace(STATE, server_version="v1.19.8"))
    assert words[3:] == ["--delete-local-data", "--timeout=300s", "--force"]


def test_a_node_that_cannot_be_drained_stays(removing: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl(monkeypatch, STATE, "cannot delete Pods not managed by a controller")
    drain.Drain().run(removing)
    outcome = removing.outcomes["w1"]
    assert outcome.exit_code == 6
    assert "not managed" in str(outcome.reason)
    assert "--force" in str(outcome.fix)
    drain.DeleteNode().run(removing)
    assert "w1" not in removing.changed


@pytest.mark.parametrize(
    "state",
    [
        replace(STATE, hosts={"w1": HostState()}),
        replace(STATE, nodes={"w1": replace(NODE, ready=False)}),
        replace(STATE, nodes={}),
    ],
    ids=["reset already", "sick", "deleted already"],
)
def test_a_removal_that_was_cut_short_goes_on(
    removing: Run, monkeypatch: pytest.MonkeyPatch, state: ClusterState
) -> None:
    said = kubectl(monkeypatch, state).said
    drain.Drain().run(removing)
    drain.DeleteNode().run(removing)
    assert said == (["delete node w1"] if state.nodes else [])
    assert removing.outcomes == {}


def test_without_an_api_server_nothing_is_removed(removing: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl(monkeypatch, ClusterState(complaint="connection refused"))
    drain.Drain().run(removing)
    assert removing.outcomes["w1"].state is Outcome.SKIPPED
    assert "connection refused" in str(removing.outcomes["w1"].reason)


def test_a_lost_host_is_found_by_its_address() -> None:
    lost = worker("host7", facts=None, ansible_host="10.0.0.11")
    assert drain.find_node(lost, STATE) == NODE
    assert drain.find_node(worker("host8", facts=None), STATE) is None


def test_check_mode_tells_and_asks_nothing_of_the_node(
    removing: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = kubectl(monkeypatch, STATE).said
    drain.Drain().dry_run(removing)
    drain.DeleteNode().dry_run(removing)
    assert said == []
    assert [effect.actions for effect in removing.effects["w1"]] == [("drain",), ("remove",)]


def node_answer(ready: str, message: str = "") -> CommandResult:
    conditions = [{"type": "Ready", "status": ready, "message": message}]
    return CommandResult(0, json.dumps({"status": {"conditions": conditions}}).encode(), b"")


@pytest.fixture
def foreign_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    discovery = Discovery("10.9.9.9:6443", (f"sha256:{'a' * 64}",))
    run.access = Access(Secrets("abcdef.0123456789abcdef"), discovery)
    joining = worker("w1", kubernetes_version="1.20.2", kubernetes_node_ip="10.0.0.11")
    run.spec, run.everyone = replace(run.spec, hosts=(joining,)), (joining,)
    monkeypatch.setattr(foreign, "host_state", lambda _: HostState())
    monkeypatch.setattr(foreign.time, "sleep", lambda _: None)
    run.connections["w1"] = FakeConnection()  # type: ignore[assignment]
    return run


def test_the_way_in_is_the_one_that_was_given(foreign_run: Run) -> None:
    foreign.ForeignCluster().run(foreign_run)
    assert foreign_run.kubernetes is not None
    assert foreign_run.kubernetes.access is foreign_run.access
    assert foreign_run.kubernetes.state.control_plane is None


def test_a_node_is_waited_for_through_its_own_kubelet(foreign_run: Run) -> None:
    answers = [CommandResult(1, b"", b"not found"), node_answer("False", "no CNI"), node_answer("True")]
    connection = FakeConnection(answers=answers)
    foreign_run.connections["w1"] = connection  # type: ignore[assignment]
    foreign.ForeignCluster().run(foreign_run)
    foreign.NodeReady().run(foreign_run)
    assert foreign_run.outcomes == {}
    assert len(connection.ran) == 3
    assert "--kubeconfig /etc/kubernetes/kubelet.conf" in connection.ran[0][0]


def test_a_node_that_does_not_become_ready_says_why(
    foreign_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = FakeConnection(answers=[node_answer("False", "no CNI")])
    foreign_run.connections["w1"] = connection  # type: ignore[assignment]
    foreign.ForeignCluster().run(foreign_run)
    clock = iter([0.0, 0.0, 1e9, 1e9])
    monkeypatch.setattr(foreign.time, "monotonic", lambda: next(clock))
    foreign.NodeReady().run(foreign_run)
    assert "no CNI" in str(foreign_run.outcomes["w1"].reason)


def test_the_discovery_file_is_for_root_and_goes_again(foreign_run: Run) -> None:
    connection = FakeConnection()
    foreign_run.connections["w1"] = connection  # type: ignore[assignment]
    phase = foreign.DiscoveryFile()
    assert not phase.should_run(foreign_run)
    foreign_run.discovery_file = "kind: Config"
    assert phase.should_run(foreign_run)
    phase.run(foreign_run)
    phase.undo(foreign_run)
    (written, content), (removed, _) = connection.ran
    assert "umask 077" in written
    assert content == b"kind: Config"
    assert removed == f"rm -f {foreign.DISCOVERY_FILE}"


def test_a_runtime_that_does_not_answer_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove_pods, "_try", lambda *_, **__: ([], "connection refused"))
    remove_pods.RemovePods().run(run)
    assert run.outcomes == {}
    assert "ended by force" in run.warnings[0]


def test_removed_pods_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove_pods, "_try", lambda *_, **__: (["default/web"], None))
    remove_pods.RemovePods().run(run)
    assert [effect.name for effect in run.effects["w1"]] == ["default/web"]


def test_ssh_that_does_not_answer_after_a_reset_fails_the_host(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ConnectError("nothing listens there", fix="look at sshd")

    monkeypatch.setattr(ssh_answers, "connect", refuse)
    ssh_answers.SshAnswers().run(run)
    assert run.outcomes["w1"].state is Outcome.UNREACHABLE
    assert "the reset went through" in str(run.outcomes["w1"].reason)


def test_ssh_that_answers_is_well(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = FakeConnection()
    monkeypatch.setattr(ssh_answers, "connect", lambda *_: connection)
    ssh_answers.SshAnswers().run(run)
    assert connection.ran == [("true", b"")]
    assert run.outcomes == {}
