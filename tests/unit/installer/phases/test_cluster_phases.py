"""What the Kubernetes phases decide; hosts and Ansible are replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from installer import plans
from installer.cluster.spec import HostSpec
from installer.control_plane.observe import ClusterState, HostState, NodeState
from installer.errors import ClusterError, ConnectError, InventoryError
from installer.journal import Journal
from installer.kubernetes import PodNetwork, check_versions, wanted
from installer.phases import init as init_phase
from installer.phases import join as join_phase
from installer.phases import left_tokens
from installer.phases.base import Phase
from installer.phases.init import Init, run_secrets
from installer.phases.join import Admission, JoinControlPlanes, JoinWorkers, newcomers
from installer.phases.left_tokens import LeftTokens
from installer.phases.node_settings import missing
from installer.phases.nodes import BeforeNodes, Nodes
from installer.phases.runtime import Runtime
from installer.progress import Silent
from installer.report import HostState as Outcome
from installer.run import Run
from tests.unit.installer.hosts import cluster, host

HASH = f"sha256:{'1' * 64}"
MEMBER = HostState(joined=True, admin=True, kubelet_active=True, ca_hash=HASH)


def spec_host(name: str, number: int, *, worker: bool = False, **variables: Any) -> HostSpec:
    settings = {"kubernetes_version": "1.31.4", "ansible_host": f"192.0.2.{number}", **variables}
    made = host(name, **settings)
    return replace(made, groups=frozenset({"workers", "nodes", "all"})) if worker else made


def node(
    name: str, *, ready: bool = True, version: str = "v1.31.4", control_plane: bool = False
) -> NodeState:
    return NodeState(name, ready, "", version, control_plane)


def make(tmp_path: Path, *hosts: HostSpec) -> Run:
    run = Run(spec=cluster(*hosts, state_dir=tmp_path), progress=Silent(), workdir=tmp_path)
    run.kubernetes = wanted(run.spec)
    return run


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Books and the hosts they were played on."""
    found: list[tuple[str, list[str]]] = []

    def converge(run: Run, book: str, *, check: bool, hosts: list[HostSpec]) -> None:
        found.append((book, [each.name for each in hosts]))

    monkeypatch.setattr(init_phase, "converge", converge)
    monkeypatch.setattr(join_phase, "converge", converge)
    state = ClusterState({"cp1": MEMBER}, {"cp1": node("cp1", control_plane=True)}, "cp1", "v1.31.4")
    monkeypatch.setattr(init_phase, "observe", lambda *_: state)
    return found


def three(tmp_path: Path) -> Run:
    return make(tmp_path, spec_host("cp1", 1), spec_host("cp2", 2), spec_host("w1", 3, worker=True))


def test_the_first_control_plane_begins(tmp_path: Path, played: list[Any]) -> None:
    run = three(tmp_path)
    assert Init().should_run(run)
    Init().run(run)
    assert played == [("kubeadm_init.yml", ["cp1"])]
    assert [each.name for each in newcomers(run)] == ["cp2", "w1"]


def test_where_the_cluster_answers_nothing_begins(tmp_path: Path) -> None:
    run = three(tmp_path)
    assert run.kubernetes is not None
    run.kubernetes.state = ClusterState({"cp2": MEMBER}, {"cp2": node("cp2")}, "cp2", "v1.31.4")
    assert not Init().should_run(run)
    assert [each.name for each in newcomers(run)] == ["cp1", "w1"]


def test_no_second_cluster_while_a_control_plane_cannot_be_asked(tmp_path: Path, played: list[Any]) -> None:
    run = three(tmp_path)
    run.fail(ConnectError("gone", host="cp2"))
    Init().run(run)
    assert played == []
    assert {name: each.state for name, each in run.outcomes.items() if name != "cp2"} == {
        "cp1": Outcome.SKIPPED,
        "w1": Outcome.SKIPPED,
    }
    assert "cp2" in str(run.outcomes["w1"].reason)


def test_the_host_that_has_a_clusters_files_goes_on_with_it(tmp_path: Path, played: list[Any]) -> None:
    run = three(tmp_path)
    assert run.kubernetes is not None
    run.kubernetes.state = ClusterState({"cp2": HostState(admin=True, attempt="init")})
    Init().run(run)
    assert played == [("kubeadm_init.yml", ["cp2"])]


def test_a_control_plane_that_was_joining_begins_nothing(tmp_path: Path, played: list[Any]) -> None:
    run = three(tmp_path)
    assert run.kubernetes is not None
    run.kubernetes.state = ClusterState({"cp2": HostState(joined=True, admin=True, attempt="join")})
    Init().run(run)
    assert played == []
    assert {each.state for each in run.outcomes.values()} == {Outcome.SKIPPED}
    assert "cp2 was joining" in str(run.outcomes["cp1"].reason)


def test_control_planes_join_one_by_one_and_workers_at_once(tmp_path: Path, played: list[Any]) -> None:
    run = make(
        tmp_path,
        *(spec_host(f"cp{index}", index) for index in (1, 2, 3)),
        *(spec_host(f"w{index}", 10 + index, worker=True) for index in (1, 2)),
    )
    assert run.kubernetes is not None
    run.kubernetes.state = ClusterState({"cp1": MEMBER}, {"cp1": node("cp1")}, "cp1", "v1.31.4")
    Admission().dry_run(run)
    JoinControlPlanes().run(run)
    JoinWorkers().run(run)
    books = [("kubeadm_join.yml", ["cp2"]), ("kubeadm_join.yml", ["cp3"]), ("kubeadm_join.yml", ["w1", "w2"])]
    assert played == books
    assert "127.0.0.1:6444" in run.host_variables["w1"]["kubeadm_join_config"]
    assert "certificateKey" in run.host_variables["cp2"]["kubeadm_join_config"]
    assert "certificateKey" not in run.host_variables["w1"]["kubeadm_join_config"]


@pytest.mark.usefixtures("played")
def test_control_planes_are_asked_for_stale_watches_once_the_last_has_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def restart(host: str, server: str) -> bool:
        asked.append(server)
        if host == "cp1":
            raise ClusterError("does not come back", host="cp1", step="join")
        return True

    monkeypatch.setattr(join_phase, "restart_if_stale", restart)
    monkeypatch.setattr(join_phase, "kubectl_on", lambda connection: connection)
    run = three(tmp_path)
    assert run.kubernetes is not None
    run.kubernetes.state = ClusterState({"cp1": MEMBER}, {"cp1": node("cp1")}, "cp1", "v1.31.4")
    run.connections.update({name: name for name in ("cp1", "cp2", "w1")})  # type: ignore[misc]
    run.check = True
    JoinControlPlanes().run(run)
    assert asked == []
    run.check = False
    JoinControlPlanes().run(run)
    assert asked == ["https://192.0.2.1:6443", "https://192.0.2.2:6443"]
    assert list(run.outcomes) == ["cp1"]


def test_no_token_is_made_where_nobody_joins(tmp_path: Path) -> None:
    run = make(tmp_path, spec_host("cp1", 1))
    assert run.kubernetes is not None
    run.kubernetes.state = ClusterState({"cp1": MEMBER}, {"cp1": node("cp1")}, "cp1", "v1.31.4")
    assert not Admission().should_run(run)
    Admission().undo(run)  # nothing to revoke, nobody asked


@pytest.fixture
def revoked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], bool]]:
    """What was taken back, in order: ids, and whether certificates went along."""
    found: list[tuple[list[str], bool]] = []

    def revoke(_kubectl: object, token_ids: list[str], *, certificates: bool) -> None:
        found.append((token_ids, certificates))

    for phase in (init_phase, left_tokens):
        monkeypatch.setattr(phase, "revoke", revoke)
        monkeypatch.setattr(phase, "kubectl_on", lambda _connection: None)
    return found


@pytest.fixture
def answering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Run, Journal]]]:
    """Makes a run with a journal of its own, the API server reached through cp1."""
    journals: list[Journal] = []

    def made(*hosts: HostSpec) -> tuple[Run, Journal]:
        monkeypatch.setattr("os.getpid", lambda: len(journals))  # part of a run's name in the journal
        run = make(tmp_path, *hosts)
        assert run.kubernetes is not None
        run.kubernetes.state = ClusterState({"cp1": MEMBER}, {"cp1": node("cp1")}, "cp1", "v1.31.4")
        run.connections["cp1"] = None  # type: ignore[assignment]  # nobody asks it anything
        run.journal = Journal(tmp_path)
        journals.append(run.journal)
        return run, run.journal

    yield made
    for journal in journals:
        journal.close()


def test_the_token_of_init_is_taken_back_where_nobody_joins(
    answering: Callable[..., tuple[Run, Journal]], revoked: list[Any]
) -> None:
    run, _ = answering(spec_host("cp1", 1))
    token_id = run_secrets(run).token_id
    Init().undo(run)
    Admission().undo(run)  # once is enough
    assert revoked == [([token_id], False)]
    assert answering(spec_host("cp1", 1))[1].left_tokens() == ()


def test_the_next_run_takes_back_what_a_killed_one_left(
    answering: Callable[..., tuple[Run, Journal]], revoked: list[Any]
) -> None:
    several = (spec_host("cp1", 1), spec_host("cp2", 2))
    killed, _ = answering(*several)
    token_id = run_secrets(killed).token_id
    assert not LeftTokens().should_run(killed)
    run, _ = answering(*several)
    run_secrets(run)
    assert LeftTokens().should_run(run)
    LeftTokens().run(run)
    assert revoked == [([token_id], True)]
    assert not LeftTokens().should_run(run)


@pytest.mark.parametrize("plan", [plans.UP, plans.JOIN])
def test_what_a_killed_run_left_on_a_host_may_use_its_token_to_the_end(plan: tuple[Phase, ...]) -> None:
    phases = [type(phase) for phase in plan]
    assert phases.index(JoinWorkers) < phases.index(LeftTokens)


def test_two_hosts_of_one_name_are_refused(tmp_path: Path) -> None:
    twins = (spec_host("a", 1, kubernetes_node_name="x"), spec_host("b", 2, kubernetes_node_name="x"))
    with pytest.raises(InventoryError, match="a and b would register under one name, x"):
        make(tmp_path, *twins)


def test_an_override_that_does_not_fit_names_its_host(tmp_path: Path) -> None:
    wrong = spec_host("cp1", 1, kubeadm_overrides={"KubeletConfiguration": {"maxPodds": 1}})
    with pytest.raises(InventoryError, match="maxPodds") as error:
        make(tmp_path, wrong)
    assert error.value.host == "cp1"


def test_a_manifest_must_be_named() -> None:
    with pytest.raises(InventoryError, match="none is named"):
        PodNetwork("manifest")


@pytest.mark.parametrize(
    ("server", "kubelet", "said"),
    [("v1.30.1", "v1.30.1", "newer than API server"), ("v1.31.4", "v1.31.2", "`up` upgrades no node")],
)
def test_versions_that_may_not_meet_are_refused(tmp_path: Path, server: str, kubelet: str, said: str) -> None:
    run = make(tmp_path, spec_host("cp1", 1))
    assert run.kubernetes is not None
    known = {"cp1": node("cp1", version=kubelet, control_plane=True)}
    run.kubernetes.state = ClusterState({"cp1": MEMBER}, known, "cp1", server)
    with pytest.raises(InventoryError, match=said):
        check_versions(run.kubernetes)


def test_labels_and_taints_that_a_node_lacks_are_added_and_others_stay(tmp_path: Path) -> None:
    settings = {
        "kubernetes_node_labels": {"example.org/rack": "a", "example.org/row": "1"},
        "kubernetes_node_taints": ["example.org/gpu=true:NoSchedule", "example.org/old:NoExecute"],
    }
    run = make(tmp_path, spec_host("cp1", 1, **settings))
    assert run.kubernetes is not None
    present = replace(
        node("cp1"),
        labels={"example.org/rack": "b", "example.org/row": "1", "example.org/own": "x"},
        taints=({"key": "example.org/old", "effect": "NoExecute"},),
    )
    assert missing(run.kubernetes.nodes["cp1"], present) == [
        ("label", "example.org/rack=a"),
        ("taint", "example.org/gpu=true:NoSchedule"),
    ]


def test_nodes_are_converged_in_one_play_and_others_in_two(tmp_path: Path) -> None:
    run = three(tmp_path)
    assert run.kubernetes is not None
    before, nodes = BeforeNodes(Runtime()), Nodes()
    assert (before.should_run(run), nodes.should_run(run)) == (True, False)
    names = ("cp1", "cp2", "w1")
    members, known = dict.fromkeys(names, MEMBER), {name: node(name) for name in names}
    run.kubernetes.state = ClusterState(members, known, "cp1", "v1.31.4")
    assert (before.should_run(run), nodes.should_run(run)) == (False, True)
    run.kubernetes.state = replace(run.kubernetes.state, nodes={**known, "w1": node("w1", ready=False)})
    assert (before.should_run(run), nodes.should_run(run)) == (True, False)


def test_up_to_the_kubernetes_programs_nodes_are_converged_too() -> None:
    assert [phase.name for phase in plans.up_to("kubernetes")][-2:] == ["kubernetes", "nodes"]
