"""A process is ended by identity, never by a number that may have a new owner."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from installer.lab import processes
from installer.lab.processes import ProcessId

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_spawned_process_is_found_again_and_ended(tmp_path: Path) -> None:
    environment = {"LAB_TEST": str(tmp_path)}
    child = processes.spawn(["/bin/sleep", "60"], log=tmp_path / "log", env=environment)
    child.save(tmp_path / "pid")
    assert ProcessId.load(tmp_path / "pid") == child
    assert child.alive()
    assert os.getsid(child.pid) == child.pid  # it outlives the terminal of its parent
    assert processes.stop(child)
    assert not child.alive()
    assert processes.stop(child)


def test_marked_processes_are_found_by_their_environment_at_once(tmp_path: Path) -> None:
    for number in range(20):
        mark = f"{tmp_path}{number}"
        child = processes.spawn(["/bin/sleep", "60"], log=tmp_path / "log", env={"LAB_TEST": mark})
        try:
            assert processes.find("LAB_TEST", mark) == [(child, ["/bin/sleep", "60"])]
            assert processes.find("LAB_TEST", mark + "x") == []
        finally:
            processes.stop(child)


def test_another_process_with_the_same_number_is_left_alone() -> None:
    myself = processes._identify(os.getpid())
    assert myself is not None
    for stranger in (replace(myself, started=myself.started - 1), replace(myself, boot="another")):
        assert not stranger.alive()
        assert processes.stop(stranger)


def test_output_is_appended_to_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    child = processes.spawn(["/bin/sh", "-c", "echo out; echo err >&2"], log=tmp_path / "log")
    os.waitpid(child.pid, 0)
    assert (tmp_path / "log").read_text() == "before\nout\nerr\n"


def test_one_that_ignores_the_polite_signal_gets_the_other(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
    child = processes.spawn(["/bin/sh", "-c", script], log=tmp_path / "log")
    while "ready" not in (tmp_path / "log").read_text():
        assert child.alive()
    assert not processes.stop(child, signals=((signal.SIGTERM, 0.05),))
    assert processes.stop(child, signals=((signal.SIGTERM, 0.05), (signal.SIGKILL, 5)))


def test_a_torn_pid_file_is_no_process(tmp_path: Path) -> None:
    for content in ("", "{", "[]", '{"pid": 1}', '{"pid": "x", "started": 1, "boot": ""}'):
        (tmp_path / "pid").write_text(content)
        assert ProcessId.load(tmp_path / "pid") is None


def test_a_name_with_parentheses_does_not_confuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trick = tmp_path / "a) S 1 (b"
    trick.symlink_to("/bin/sleep")
    child = processes.spawn([str(trick), "60"], log=tmp_path / "log")
    try:
        assert child.alive()
    finally:
        assert processes.stop(child)


def test_a_spawned_process_holds_nothing_of_its_parents(tmp_path: Path) -> None:
    """A lock of a script around it would be held for as long as the lab is up."""
    with (tmp_path / "lock").open("w") as lock, (tmp_path / "passed").open("w") as passed:
        os.set_inheritable(lock.fileno(), True)
        child = processes.spawn(
            ["/bin/sh", "-c", "ls -l /proc/$$/fd; exec sleep 60"],
            log=tmp_path / "log",
            env=dict(os.environ),
            pass_fds=[passed.fileno()],
        )
        try:
            while f"-> {tmp_path}/passed" not in (said := (tmp_path / "log").read_text()):
                assert child.alive(), said
        finally:
            processes.stop(child)
    assert f"{tmp_path}/lock" not in (tmp_path / "log").read_text()
