"""What is said of the hosts, and with which exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from installer import cli
from installer.doctor.diagnose import CAUSES, diagnose
from installer.doctor.evidence import Failure
from installer.doctor.last_failures import last_failures
from installer.doctor.report import Diagnosis, exit_code, print_diagnoses
from installer.errors import ConnectError
from installer.journal import Journal
from installer.report import HostOutcome, HostState
from tests.unit.installer.doctor.sick import died, evidence, healthy

WELL = Diagnosis("well", tuple(diagnose(evidence(healthy()))))
GONE = Diagnosis("gone", error=ConnectError("no answer within 10 s", host="gone", fix="is it up?"))


def sick() -> Diagnosis:
    host = healthy()
    died(host, "etcd", "panic: lost", code=2)
    died(host, "kube-scheduler", "F stopped")
    return Diagnosis("sick", tuple(diagnose(evidence(host))), last_failure=Failure("init", "timed out\nmore"))


def text(*diagnoses: Diagnosis, quiet: bool = False) -> str:
    stream = io.StringIO()
    print_diagnoses(diagnoses, Console(file=stream, width=200, no_color=True), quiet=quiet)
    return stream.getvalue()


def test_exit_codes() -> None:
    assert exit_code([WELL]) == 0  # its old runc is a warning
    assert exit_code([WELL, sick()]) == 12
    assert exit_code([WELL, sick(), GONE]) == 3


def test_causes_are_numbered_with_evidence_and_fix() -> None:
    said = text(WELL, sick(), GONE)
    assert "sick: 1. etcd-dead: etcd is dead (attempt 4, exit code 2)" in said
    assert "evidence: etcd (exit code 2): panic: lost" in said
    assert "sick: 2. static-pod-dead" in said
    assert "well: warning: old-runc" in said
    assert "nodestrap's last run failed there in init: timed out" in said
    assert "unreachable gone: no answer within 10 s" in said
    assert "is it up?" in said


def test_quiet_says_the_causes_alone() -> None:
    assert text(WELL, quiet=True) == ""
    assert "likeliest cause" not in text(sick(), quiet=True)


def test_json_has_all_of_it() -> None:
    found = sick().as_dict()
    assert json.loads(json.dumps(found)) == found
    assert [each["cause"] for each in found["findings"]][:2] == ["etcd-dead", "static-pod-dead"]
    assert found["last_failure"] == {"step": "init", "reason": "timed out\nmore"}
    assert GONE.as_dict()["error"] == "no answer within 10 s"


def test_the_last_failure_counts_until_a_run_ends_well(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.host("join", HostOutcome("a", HostState.FAILED, step="kubeadm_join", reason="no JWS"))
    journal.host("join", HostOutcome("b", HostState.FAILED, step="kubeadm_join", reason="timeout"))
    journal.host("join", HostOutcome("b", HostState.CHANGED, changed=3))
    journal.close()
    assert last_failures(tmp_path) == {"a": Failure("kubeadm_join", "no JWS")}
    assert last_failures(tmp_path / "none") == {}


def test_the_command_names_its_causes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["cause"] for each in listed] == list(CAUSES)
    assert all(each["title"] for each in listed)
    assert cli.run(["doctor", "--limit", "node1"]) == 2
    assert "name the inventory with -i" in capsys.readouterr().err
