"""The only caller of ansible-runner: plays a book and turns its events into progress and results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from installer.ansible_config import (
    environment,
    without_ansible_variables,
    write_config,
    write_facts,
    write_launcher,
    write_overlay,
)
from installer.ansible_hints import fix_for
from installer.cluster.spec import ClusterSpec, HostSpec
from installer.content import content_dir
from installer.effects import Effect, effects_in
from installer.errors import ConvergeError
from installer.progress import Progress
from installer.ssh.masters import end_masters

_log = logging.getLogger("nodestrap")


@dataclass
class HostResult:
    """What a play did to one host."""

    ran: int = 0  # tasks, skipped ones apart
    skipped: int = 0
    changed: int = 0
    effects: list[Effect] = field(default_factory=list)
    failed: bool = False
    unreachable: bool = False
    step: str | None = None  # of the failure
    reason: str = ""
    fix: str | None = None


def play(
    playbook: str,
    *,
    spec: ClusterSpec,
    hosts: Sequence[HostSpec],
    host_variables: Mapping[str, Mapping[str, Any]],
    workdir: Path,
    ssh_config: Path,
    progress: Progress,
    cancelled: Callable[[], bool],
    check: bool = False,
    verbosity: int = 0,
) -> dict[str, HostResult]:
    """Play ``playbook`` on ``hosts`` and return each one's result; one host's failure does not end the
    others.

    Raises ConvergeError when Ansible itself fails (a broken playbook), with the last it said.
    """
    book = content_dir("playbooks") / playbook
    if not book.is_file():
        raise ConvergeError(f"the playbook {book} is missing", step=playbook, fix="reinstall nodestrap")
    directory = workdir / "ansible"
    directory.mkdir(mode=0o700, exist_ok=True)
    config = write_config(directory, ssh_config, hosts)
    write_facts(directory, hosts)
    overlay = write_overlay(directory, hosts, host_variables)
    events = _Events(progress, {host.name: HostResult() for host in hosts})
    try:
        with without_ansible_variables():
            status = _run(
                book,
                [*spec.inventory, str(overlay)],
                hosts,
                directory,
                environment(config, write_launcher(directory), spec),
                events,
                cancelled,
                ["--check", "--diff"] if check else [],
                verbosity,
            )
    finally:
        end_masters(directory / "cm")
    if status == "failed" and not any(
        result.failed or result.unreachable for result in events.results.values()
    ):
        raise ConvergeError(
            events.last_error or "ansible-playbook failed before any task", step=playbook, fix="see the log"
        )
    return events.results


def _run(
    book: Path,
    inventory: list[str],
    hosts: Sequence[HostSpec],
    directory: Path,
    environ: dict[str, str],
    events: _Events,
    cancelled: Callable[[], bool],
    arguments: list[str],
    verbosity: int,
) -> str:
    import ansible_runner

    limit = directory / "limit"
    limit.write_text("\n".join(host.name for host in hosts) + "\n")
    runner = ansible_runner.run(
        private_data_dir=str(directory),
        project_dir=str(Path.cwd()),  # relative key files in an inventory mean this
        playbook=str(book),
        inventory=inventory,
        limit=f"@{limit}",
        envvars=environ,
        cmdline=" ".join(arguments) or None,
        verbosity=max(0, verbosity - 1) or None,
        event_handler=events.handle,
        cancel_callback=cancelled,
        fact_cache_type="memory",  # anything but jsonfile, whose directory would not be ours
        quiet=True,
        settings={"pexpect_timeout": 1, "suppress_ansible_output": True},
    )
    return str(runner.status)


@dataclass
class _Events:
    """ansible-runner's events, as they come."""

    progress: Progress
    results: dict[str, HostResult]
    last_error: str = ""
    _task: str = field(default="", init=False)

    def handle(self, event: Mapping[str, Any]) -> bool:
        """Take one event; False: ansible-runner need not keep it on disk."""
        if stdout := event.get("stdout"):
            _log.info("%s", stdout)
        kind, data = event.get("event", ""), event.get("event_data") or {}
        host, task = data.get("host"), _step(data)
        result = self.results.get(host) if host else None
        if kind in ("error", "warning") or (kind == "verbose" and "ERROR" in str(stdout)):
            self.last_error = str(stdout or self.last_error).strip()
        elif result is None or host is None:
            pass
        elif kind == "runner_on_start":
            self.progress.step(host, task)
        elif kind == "runner_on_ok":
            self._ok(host, task, result, data)
        elif kind == "runner_on_skipped":
            result.skipped += 1
        elif kind == "runner_on_failed" and not data.get("ignore_errors"):
            _set_reason(result, task, data.get("res") or {})
            result.failed = True
        elif kind == "runner_on_unreachable":
            _set_reason(result, task, data.get("res") or {})
            result.unreachable = True
        return False

    def _ok(self, host: str, task: str, result: HostResult, data: Mapping[str, Any]) -> None:
        result.ran += 1
        answer = data.get("res") or {}
        result.effects += effects_in(answer, task)
        if answer.get("changed"):
            result.changed += 1
            self.progress.step(host, task, changed=True)


def _step(data: Mapping[str, Any]) -> str:
    """``containerd: Write the configuration``: the role, then the task, as Ansible itself names it."""
    task, role = str(data.get("task") or "").strip(), str(data.get("role") or "").strip()
    return f"{role}: {task.removeprefix(f'{role} : ')}" if role else task


def _set_reason(result: HostResult, task: str, answer: Mapping[str, Any]) -> None:
    """Why a task failed, from whichever field of its result says so."""
    failed_items = [
        item for item in answer.get("results") or () if isinstance(item, dict) and item.get("failed")
    ]
    source = failed_items[0] if failed_items else answer
    message = str(source.get("msg") or source.get("censored") or "no reason given").strip()
    details = [str(source.get(name) or "").strip() for name in ("stderr", "module_stderr")]
    detail = next((text for text in details if text and text not in message), "")
    result.step = task
    result.reason = f"{message}: {detail.splitlines()[-1]}" if detail else message
    result.fix = fix_for(f"{message}\n{detail}") or "see the log for all that the task said"
