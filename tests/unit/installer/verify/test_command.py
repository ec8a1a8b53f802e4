"""The command line: what it refuses, what it lists, what it exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from installer import cli
from installer.verify.catalogue import all_checks
from pycri._generated import cri_pb2
from tests.unit.installer.verify.fake_cri import READY, FakeCri, version

Output = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--endpoint", "tcp://1.2.3.4:5"], "is no CRI endpoint"),
        (["--limit", "node1"], "name the inventory with -i"),
        (["--check", "pod.hostnam"], "Did you mean 'pod.hostname'"),
        (["--tier", "T7"], "none of T0, T1, T2, T3"),
        (["-i", "/no/such/inventory"], "there is no inventory"),
    ],
)
def test_mistakes_are_usage_errors(arguments: list[str], said: str, capsys: Output) -> None:
    assert cli.run(["verify", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_list_needs_no_endpoint(capsys: Output) -> None:
    assert cli.run(["verify", "--list"]) == 0
    text = capsys.readouterr().out
    assert all(check.id in text for check in all_checks())
    assert cli.run(["--json", "verify", "--list", "--tier", "0"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in listed] == [check.id for check in all_checks() if check.tier == 0]


def test_results_as_lines_and_as_json(capsys: Output, tmp_path: Path) -> None:
    with FakeCri({"Version": version, "Status": READY}) as cri:
        chosen = [
            "--endpoint",
            cri.address,
            "--check",
            "api.version",
            "--check",
            "api.v1",
            "--check",
            "runtime.*ready",
        ]
        assert cli.run(["verify", *chosen, "--junit", str(tmp_path / "j.xml")]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[2] for line in lines[:3]] == ["api.version", "api.v1", "runtime.ready"]
        assert lines[-1].endswith("4 passed in " + lines[-1].rsplit(" in ", 1)[1])
        assert (tmp_path / "j.xml").read_bytes().startswith(b"<?xml")
        assert cli.run(["--json", "verify", *chosen]) == 0
        assert json.loads(capsys.readouterr().out)["endpoints"][0]["passed"] == 4
        assert cli.run(["--quiet", "verify", *chosen]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_failure_in_t0_is_7_and_nobody_home_too(capsys: Output) -> None:
    answer = cri_pb2.VersionResponse(runtime_name="fake")
    with FakeCri({"Version": lambda _request: answer}) as cri:
        assert cli.run(["verify", "--endpoint", cri.address, "--tier", "t0"]) == 7
    said = capsys.readouterr().out
    assert "api.version: runtime_version is empty" in said
    assert "fix: look at the daemon" in said
    assert cli.run(["verify", "--endpoint", "/nonexistent.sock", "--tier", "0"]) == 7


def test_cleanup_says_what_failed(capsys: Output) -> None:
    assert cli.run(["verify", "--endpoint", "/nonexistent.sock", "--cleanup"]) == 1
    assert "UNAVAILABLE" in capsys.readouterr().out
