"""Events of a run, as ansible-runner reports them, and what they become; then one real play."""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from installer import ansible, ansible_config
from installer.ansible import HostResult
from installer.ansible_hints import fix_for
from installer.content import content_dir
from installer.errors import ConvergeError
from installer.progress.base import Progress
from tests.unit.installer.hosts import HEALTHY, cluster, host


class Recorder(Progress):
    def __init__(self) -> None:
        self.steps: list[tuple[str, str, bool]] = []

    def show_step(self, host: str, text: str, changed: bool) -> None:
        self.steps.append((host, text, changed))


def _feed(*events: tuple[str, dict[str, Any]]) -> tuple[HostResult, Recorder]:
    recorder = Recorder()
    handler = ansible._Events(recorder, {"node1": HostResult()})
    for kind, data in events:
        assert handler.handle({"event": kind, "event_data": {"host": "node1", **data}, "stdout": ""}) is False
    return handler.results["node1"], recorder


def test_steps_and_changes() -> None:
    task = {"task": "containerd : Packages", "role": "containerd"}
    result, recorder = _feed(
        ("runner_on_start", task),
        ("runner_on_ok", {**task, "res": {"changed": True}}),
        ("runner_on_ok", {"task": "Ping", "res": {"changed": False}}),
        ("runner_on_skipped", {"task": "Not here"}),
    )
    assert (result.ran, result.changed, result.skipped) == (2, 1, 1)
    assert recorder.steps == [
        ("node1", "containerd: Packages", False),
        ("node1", "containerd: Packages", True),
    ]


@pytest.mark.parametrize(
    ("answer", "reason", "fix"),
    [
        ({"msg": "No space left on device"}, "No space left on device", "free some disk"),
        (
            {"msg": "failed", "stderr": "a\nE: Could not get lock /var/lib/dpkg/lock"},
            "failed: E: Could",
            "wait",
        ),
        (
            {"msg": "All items", "results": [{"failed": False}, {"failed": True, "msg": "third"}]},
            "third",
            "log",
        ),
        ({"censored": "the output has been hidden: no_log"}, "the output has been hidden", "by hand"),
        ({}, "no reason given", "see the log"),
        ({"msg": "Job for pycri.service failed because"}, "Job for", "journalctl -u pycri.service"),
    ],
)
def test_failures_have_reason_and_fix(answer: dict[str, Any], reason: str, fix: str) -> None:
    result, _ = _feed(("runner_on_failed", {"task": "Try", "res": answer}))
    assert result.failed
    assert result.step == "Try"
    assert reason in result.reason
    assert fix in str(result.fix)


def test_an_ignored_failure_is_none() -> None:
    result, _ = _feed(("runner_on_failed", {"task": "Try", "ignore_errors": True, "res": {"msg": "no"}}))
    assert not result.failed


def test_unreachable() -> None:
    result, _ = _feed(("runner_on_unreachable", {"task": "Try", "res": {"msg": "Connection refused"}}))
    assert result.unreachable
    assert "is up" in str(result.fix)


def test_unknown_failures_have_no_hint() -> None:
    assert fix_for("something never seen") is None


def test_configuration_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_STRATEGY", "free")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "/vault")
    with ansible_config.without_ansible_variables():
        assert "ANSIBLE_STRATEGY" not in os.environ
        assert os.environ["ANSIBLE_VAULT_PASSWORD_FILE"] == "/vault"
    assert os.environ["ANSIBLE_STRATEGY"] == "free"


def test_overlay_knows_python_and_spares_root_its_sudo(tmp_path: Path) -> None:
    hosts = [
        host("node1", ansible_user="root"),
        host("node2", ansible_user="admin", ansible_password="typed"),
    ]
    path = ansible_config.write_overlay(tmp_path, hosts, {"node1": {"pycri_artifact": {"path": "/x"}}})
    assert path.stat().st_mode & 0o077 == 0
    overlay = json.loads(path.read_text())["all"]["hosts"]
    assert overlay["node1"] == {
        "pycri_artifact": {"path": "/x"},
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_become": False,
    }
    assert overlay["node2"]["ansible_become"] is True
    assert overlay["node2"]["ansible_password"] == "typed"


def test_facts_are_all_that_roles_mention(tmp_path: Path) -> None:
    """Ansible gathers nothing where we give it facts: one that is not given would be undefined."""
    ansible_config.write_facts(tmp_path, [host("node1")])
    given = json.loads((tmp_path / "facts" / "node1").read_text())
    mentioned = set()
    for kind in ("roles", "playbooks", "templates"):
        for path in content_dir(kind).rglob("*"):
            if path.suffix in (".yml", ".j2"):
                mentioned |= set(re.findall(r"ansible_facts(?:\.|\[')(\w+)", path.read_text()))
    assert mentioned
    assert mentioned <= set(given)


def test_a_system_without_a_name_is_left_to_ansible(tmp_path: Path) -> None:
    ansible_config.write_facts(
        tmp_path, [host(facts=replace(HEALTHY, os_id="arch")), host("node2", facts=None)]
    )
    assert list((tmp_path / "facts").iterdir()) == []


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for kind in ("playbooks", "roles", "templates"):
        (tmp_path / "content" / kind).mkdir(parents=True)
    for module in (ansible, ansible_config):
        monkeypatch.setattr(module, "content_dir", lambda kind: tmp_path / "content" / kind)
    return tmp_path / "content"


def _play(tmp_path: Path, playbook: str) -> dict[str, HostResult]:
    """A real ansible-playbook on connection local: no host is contacted."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        "all: {hosts: {node1: {}, node2: {}, node3: {}}, vars: {ansible_connection: local}}\n"
    )
    hosts = [host("node1"), host("node2"), host("node3")]
    workdir = tmp_path / "work"
    workdir.mkdir()
    return ansible.play(
        playbook,
        spec=cluster(*hosts, state_dir=tmp_path, inventory=(str(inventory),)),
        hosts=hosts[:2],
        host_variables={"node2": {"greeting": "hello"}},
        workdir=workdir,
        ssh_config=tmp_path / "ssh_config",
        progress=Recorder(),
        cancelled=lambda: False,
    )


def test_a_real_play(tmp_path: Path, content: Path, caplog: pytest.LogCaptureFixture) -> None:
    (content / "playbooks" / "book.yml").write_text(
        "- hosts: all\n  gather_facts: true\n  tasks:\n"
        "  - {name: Know, ansible.builtin.assert: {that: ansible_facts.distribution == 'Debian'}}\n"
        "  - {name: Greet, ansible.builtin.assert: {that: greeting is defined, fail_msg: no greeting}}\n"
    )
    caplog.set_level(logging.INFO, "nodestrap")
    results = _play(tmp_path, "book.yml")
    assert sorted(results) == ["node1", "node2"], "the others are not in this run"
    assert (results["node1"].failed, results["node1"].step) == (True, "Greet")
    assert results["node1"].reason == "no greeting"
    assert (results["node2"].failed, results["node2"].ran) == (False, 2)
    assert "TASK [Greet]" in caplog.text
    assert "Gathering Facts" not in caplog.text, "the probe has been there"


def test_a_broken_playbook_is_an_error_of_its_own(tmp_path: Path, content: Path) -> None:
    (content / "playbooks" / "book.yml").write_text("- hosts: all\n  tasks: [{no_such_module_at_all: {}}]\n")
    with pytest.raises(ConvergeError, match="no_such_module_at_all"):
        _play(tmp_path, "book.yml")


def test_a_missing_playbook(tmp_path: Path, content: Path) -> None:
    with pytest.raises(ConvergeError, match="is missing"):
        _play(tmp_path, "absent.yml")
