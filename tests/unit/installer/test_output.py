from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from installer.options import GlobalOptions
from installer.output import print_matrix, print_report
from installer.preflight.matrix import run_matrix
from installer.report import HostOutcome, HostState, Report
from tests.unit.installer.hosts import HEALTHY, host

_REPORT = Report(
    command="up",
    cluster="test",
    outcomes=(
        HostOutcome("node1", HostState.CHANGED, changed=3),
        HostOutcome(
            "node2", HostState.FAILED, step="containerd: Service", reason="it [died]", fix="look", exit_code=6
        ),
    ),
    excluded=("node3",),
    warnings=("node1: swap: on",),
    seconds=12.3,
    phases={"connect": 0.1},
)
_LOG = Path("/state/logs/up.log")


def test_report_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(_REPORT, _LOG, GlobalOptions(color=False))
    said = capsys.readouterr().out
    assert "failed node2: containerd: Service: it [died]\n  fix: look\n" in said
    assert "left out by --limit: node3" in said
    assert "warning: node1: swap: on" in said
    assert "test: 12.3 s (connect 0.1); log: /state/logs/up.log" in said


def test_quiet_report_still_has_the_failure(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(_REPORT, _LOG, GlobalOptions(verbosity=-1))
    said = capsys.readouterr().out
    assert "it [died]" in said
    assert "warning" not in said


def test_report_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(_REPORT, _LOG, GlobalOptions(json=True))
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 6
    assert [each["state"] for each in document["hosts"]] == ["changed", "failed"]
    assert document["log_file"] == str(_LOG)


def test_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    sick = replace(HEALTHY, swaps=("/dev/sda2",), uid=7)
    print_matrix(run_matrix([host("node1", facts=sick), host("node2")], ["disk"]), GlobalOptions(color=False))
    said = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line and line[0] != " "}
    assert rows["swap"] == ["warning", "ok"]
    assert rows["privileges"] == ["error", "ok"]
    assert rows["disk"] == ["skipped", "skipped"]
    assert "error: node1: privileges: commands run as uid 7" in said
