"""What the phases make of what they find out; the finding out itself is replaced."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from installer.ansible import HostResult
from installer.errors import ConnectError, Interrupted, LockedError, PrivilegeError
from installer.phases import connect as connect_phase
from installer.phases import preflight as preflight_phase
from installer.phases import runtime as runtime_phase
from installer.phases.connect import Connect
from installer.phases.gate import Gate
from installer.phases.preflight import Preflight
from installer.phases.runtime import Runtime
from installer.preflight.gather import ProbeSession
from installer.progress import Silent
from installer.report import HostState
from installer.run import Run
from installer.verify import fleet
from installer.verify.check import Check
from installer.verify.result import EndpointReport, Outcome, Result
from tests.unit.installer.hosts import HEALTHY, cluster, host


class FakeConnection:
    newly_pinned = "SHA256:x"
    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def run(tmp_path: Path) -> Run:
    spec = cluster(host("node1"), host("node2"), state_dir=tmp_path)
    return Run(spec=spec, progress=Silent(), workdir=tmp_path)


def _states(run: Run) -> dict[str, tuple[HostState, int]]:
    return {name: (outcome.state, outcome.exit_code) for name, outcome in run.outcomes.items()}


def test_connect_keeps_who_answers_and_closes_at_the_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = FakeConnection()

    def connect(name: str, *_: Any) -> FakeConnection:
        if name == "node2":
            raise ConnectError("no answer", fix="plug it in")
        return connection

    monkeypatch.setattr(connect_phase, "connect", connect)
    Connect().run(run)
    assert list(run.connections) == ["node1"]
    assert _states(run) == {"node2": (HostState.UNREACHABLE, 3)}
    assert "StrictHostKeyChecking yes" in run.ssh_config.read_text(), "nothing new is trusted from here on"
    Connect().undo(run)
    assert connection.closed


def _preflight(run: Run, monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> None:
    class Channel:
        def close(self) -> None: ...

    def gather(connection: str, *_: Any) -> ProbeSession:
        answer = answers[connection]
        if isinstance(answer, Exception):
            raise answer
        facts, locked_by = answer
        return ProbeSession(facts, locked_by, Channel())  # type: ignore[arg-type]

    run.connections = {name: name for name in answers}  # type: ignore[misc]
    monkeypatch.setattr(preflight_phase, "gather", gather)
    Preflight().run(run)


def test_preflight_says_all_failures_of_a_host_with_their_fixes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick = replace(
        HEALTHY, hostname="node2", machine_id="2", listening={10250: "nginx"}, overlay_error="EINVAL"
    )
    _preflight(run, monkeypatch, {"node1": (HEALTHY, None), "node2": (sick, None)})
    outcome = run.outcomes["node2"]
    assert (outcome.state, outcome.exit_code) == (HostState.FAILED, 4)
    assert "overlayfs: " in str(outcome.reason)
    assert "ports: TCP port 10250" in str(outcome.reason)
    assert str(outcome.fix).endswith("(or --skip-check overlayfs --skip-check ports)")
    assert [left.name for left in run.active] == ["node1"]


def test_preflight_tells_refused_sudo_from_a_lost_host(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"node1": PrivilegeError("no sudo"), "node2": ConnectError("gone")}
    _preflight(run, monkeypatch, answers)
    assert _states(run) == {"node1": (HostState.FAILED, 4), "node2": (HostState.UNREACHABLE, 3)}


def test_a_host_under_another_operators_lock_ends_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = {"operator": "ann", "controller": "laptop"}
    with pytest.raises(LockedError, match="ann on laptop") as error:
        _preflight(run, monkeypatch, {"node1": (HEALTHY, None), "node2": (HEALTHY, holder)})
    assert error.value.host == "node2"


def test_warnings_are_kept_for_the_report(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    swapping = replace(HEALTHY, swaps=("/dev/sda2",))
    other = replace(swapping, hostname="node2", machine_id="2")
    _preflight(run, monkeypatch, {"node1": (swapping, None), "node2": (other, None)})
    assert len(run.warnings) == 1
    assert run.warnings[0].startswith("node1, node2: swap: ")


def _play(run: Run, monkeypatch: pytest.MonkeyPatch, **results: HostResult) -> None:
    monkeypatch.setattr(runtime_phase, "play", lambda *_, **__: results)
    Runtime().run(run)


def test_runtime_puts_each_host_into_one_state(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = HostResult(ran=3, changed=2, failed=True, step="containerd: Service", reason="no", fix="look")
    _play(run, monkeypatch, node1=failed, node2=HostResult(unreachable=True, reason="gone"))
    assert _states(run) == {"node1": (HostState.FAILED, 6), "node2": (HostState.UNREACHABLE, 3)}
    assert run.outcomes["node1"].changed == 2


def test_a_host_that_no_play_matched_is_skipped_by_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _play(run, monkeypatch, node1=HostResult(ran=1, changed=1), node2=HostResult())
    assert _states(run) == {"node2": (HostState.SKIPPED, 6)}
    assert run.changed == {"node1": 1, "node2": 0}


def test_an_interrupted_play_is_no_failure_of_hosts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.interrupted.set()
    with pytest.raises(Interrupted):
        _play(run, monkeypatch, node1=HostResult(), node2=HostResult())
    assert run.outcomes == {}


def test_gate_fails_a_host_whose_endpoint_does(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check(id="runtime.ready", tier=0, title="t", proves="p", fix="start it", run=lambda _: "")  # type: ignore[call-arg, arg-type, return-value]
    reports = [
        EndpointReport("node1", "unix:///x", results=[Result.of(check, Outcome.FAILED, "it is false")]),
        EndpointReport("node2", "unix:///x", results=[Result.of(check, Outcome.PASSED, "it is true")]),
    ]
    run.connections = {"node1": nullcontext(), "node2": nullcontext()}  # type: ignore[dict-item]
    monkeypatch.setattr(fleet, "verify_all", lambda *_, **__: reports)
    Gate().run(run)
    assert _states(run) == {"node1": (HostState.FAILED, 7)}
    assert (run.outcomes["node1"].reason, run.outcomes["node1"].fix) == (
        "runtime.ready: it is false",
        "start it",
    )


def test_gate_asks_nothing_in_check_mode(run: Run) -> None:
    Gate().dry_run(run)
    assert run.outcomes == {}
