"""What is done to which unit, decided from what systemd says of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support import ansible_modules

UNIT = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "UnitFileState": "enabled",
    "NeedDaemonReload": "no",
    "ExecMainStartTimestampMonotonic": "0",
}
Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    return ansible_modules.load("systemd_units", tmp_path)


@pytest.fixture
def decided(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """The answer for a unit in this state; ``calls`` in it is what systemctl was told."""

    def decide(state: dict[str, str], **arguments: Any) -> dict[str, Any]:
        calls: list[str] = []
        monkeypatch.setattr(
            module, "show", lambda _module, names: {name: {**UNIT, **state} for name in names}
        )
        monkeypatch.setattr(
            module, "systemctl", lambda _module, verb, names: calls.append(" ".join([verb, *names]))
        )
        answer = ansible_modules.run(module, names=["a.service"], **arguments)
        return {**answer, "calls": calls}

    return decide


def test_an_enabled_running_unit_is_left_alone(decided: Answer) -> None:
    answer = decided({})
    assert (answer["changed"], answer["calls"]) == (False, [])


@pytest.mark.parametrize("state", ["inactive", "failed", "activating"])
def test_a_unit_that_does_not_run_is_started(decided: Answer, state: str) -> None:
    assert decided({"ActiveState": state})["calls"] == ["daemon-reload", "start a.service"]


def test_a_disabled_unit_is_enabled(decided: Answer) -> None:
    assert decided({"UnitFileState": "disabled"})["calls"] == ["daemon-reload", "enable a.service"]


def test_restart_restarts(decided: Answer) -> None:
    assert decided({}, restart=True)["calls"] == ["daemon-reload", "restart a.service"]


def test_check_mode_tells_and_does_nothing(decided: Answer) -> None:
    answer = decided({"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}, check=True)
    assert answer["changes"] == ["start a.service", "enable a.service"]
    assert answer["calls"] == []


def test_a_masked_unit_is_somebodys_will(decided: Answer) -> None:
    assert "masked, so somebody wants them off: a.service" in decided({"LoadState": "masked"})["msg"]


def test_a_unit_older_than_its_files_is_restarted(decided: Answer, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("new")
    before, after = time.monotonic() - 3600, time.monotonic() + 1
    watch = [str(tmp_path / "config"), str(tmp_path / "none")]
    old = {"ExecMainStartTimestampMonotonic": str(int(before * 1e6))}
    assert decided(old, watch=watch)["calls"] == ["daemon-reload", "restart a.service"]
    young = {"ExecMainStartTimestampMonotonic": str(int(after * 1e6))}
    assert decided(young, watch=watch)["calls"] == []


def test_without_systemd_it_says_so(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os.path, "isdir", lambda path: path != "/run/systemd/system")
    done = ansible_modules.run(module, names=["a.service"])
    assert "systemd is not PID 1" in done["msg"]
    assert ansible_modules.run(module, check=True, names=["a.service"])["changed"]


ASKED = {"socket": "/nonexistent/cri.sock", "method": "/a.B/C", "unit": "a.service", "timeout": 0}


def test_a_unit_that_runs_has_to_answer(decided: Answer) -> None:
    answer = decided({}, answers=ASKED)
    assert answer["failed"]
    assert "/nonexistent/cri.sock does not answer /a.B/C after 0 s" in answer["msg"]
    assert "a.service" in answer["msg"]


def test_check_mode_does_not_wait_for_what_is_not_installed(decided: Answer) -> None:
    assert "failed" not in decided({"ActiveState": "inactive"}, check=True, answers=ASKED)
