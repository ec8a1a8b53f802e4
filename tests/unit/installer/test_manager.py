from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from installer.errors import ArtifactError, ConvergeError, Interrupted, UsageError
from installer.journal import Journal, read
from installer.manager import run_plan, until
from installer.phases.base import Phase
from installer.progress import Silent
from installer.report import HostState
from installer.run import Run
from tests.unit.installer.hosts import cluster, host


class Step(Phase):
    """A phase that notes what happens to it."""

    def __init__(self, name: str, did: list[str], act: Callable[[Run], None] = lambda run: None) -> None:
        self.name = self.title = name
        self._did, self._act = did, act

    def run(self, run: Run) -> None:
        self._did.append(f"run {self.name} on {','.join(host.name for host in run.active)}")
        self._act(run)

    def dry_run(self, run: Run) -> None:
        self._did.append(f"dry {self.name}")

    def undo(self, run: Run) -> None:
        self._did.append(f"undo {self.name}")


def _run(tmp_path: Path, **changes: object) -> Run:
    spec = cluster(host("node1"), host("node2"), state_dir=tmp_path, unmatched=("stray",))
    return Run(spec=spec, progress=Silent(), workdir=tmp_path, **changes)  # type: ignore[arg-type]


def _fail(name: str) -> Callable[[Run], None]:
    return lambda run: run.fail(ConvergeError("broken", host=name, step="x"))


def test_phases_in_order_and_undo_in_reverse(tmp_path: Path) -> None:
    did: list[str] = []
    report = run_plan([Step("a", did), Step("b", did)], _run(tmp_path), None, "up")
    assert did == ["run a on node1,node2", "run b on node1,node2", "undo b", "undo a"]
    assert list(report.phases) == ["a", "b"]


def test_a_failed_host_leaves_and_the_others_go_on(tmp_path: Path) -> None:
    did: list[str] = []
    report = run_plan([Step("a", did, _fail("node1")), Step("b", did)], _run(tmp_path), None, "up")
    assert "run b on node2" in did
    states = {outcome.host: outcome.state for outcome in report.outcomes}
    assert states == {"node1": HostState.FAILED, "node2": HostState.OK, "stray": HostState.SKIPPED}


def test_every_host_is_in_one_state_and_an_unmatched_one_is_no_success(tmp_path: Path) -> None:
    report = run_plan([Step("a", [])], _run(tmp_path), None, "up")
    assert [outcome.host for outcome in report.outcomes] == ["node1", "node2", "stray"]
    assert report.exit_code == 2


def test_no_host_left_ends_the_plan(tmp_path: Path) -> None:
    did: list[str] = []

    def fail_all(run: Run) -> None:
        for name in ("node1", "node2"):
            _fail(name)(run)

    run_plan([Step("a", did, fail_all), Step("b", did)], _run(tmp_path), None, "up")
    assert not any("b" in line for line in did)


def test_check_mode_runs_dry(tmp_path: Path) -> None:
    did: list[str] = []
    run_plan([Step("a", did)], _run(tmp_path, check=True), None, "up")
    assert did == ["dry a", "undo a"]


def test_an_error_ends_the_run_after_undo_and_is_journalled(tmp_path: Path) -> None:
    did: list[str] = []

    def explode(run: Run) -> None:
        raise ArtifactError("no file")

    journal = Journal(tmp_path)
    with pytest.raises(ArtifactError):
        run_plan([Step("a", did, explode), Step("b", did)], _run(tmp_path), journal, "up")
    assert did[-1] == "undo a"
    assert journal.unfinished() is None
    journal.close()
    assert [entry["exit_code"] for entry in read(tmp_path / "journal.jsonl") if entry["event"] == "end"] == [
        5
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_a_resumable_journal(tmp_path: Path, number: int) -> None:
    did: list[str] = []
    journal = Journal(tmp_path)
    with pytest.raises(Interrupted) as error:
        run_plan(
            [Step("a", did, lambda run: os.kill(os.getpid(), number)), Step("b", did)],
            _run(tmp_path),
            journal,
            "up",
        )
    assert error.value.exit_code == 130
    assert did == ["run a on node1,node2", "undo a"]
    unfinished = journal.unfinished()
    journal.close()
    assert unfinished is not None
    assert unfinished.phase == "a"


def test_a_broken_undo_does_not_stop_the_others(tmp_path: Path) -> None:
    did: list[str] = []

    class Broken(Step):
        def undo(self, run: Run) -> None:
            raise OSError("gone")

    run = _run(tmp_path)
    run_plan([Step("a", did), Broken("b", did)], run, None, "up")
    assert did[-1] == "undo a"
    assert "could not give back" in run.warnings[0]


def test_until() -> None:
    plan = [Step("a", []), Step("b", []), Step("c", [])]
    assert [phase.name for phase in until(plan, "b")] == ["a", "b"]
    assert len(until(plan, None)) == 3
    with pytest.raises(UsageError, match="no phase 'z'"):
        until(plan, "z")
