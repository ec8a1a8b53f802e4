"""Plays the repository's playbooks as people do who prefer plain Ansible: with ``ansible-playbook`` alone."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGINS = Path(__file__).with_name("callback_plugins")


@dataclass(frozen=True)
class Task:
    host: str
    name: str
    outcome: str  # ok, failed, skipped, unreachable
    result: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))


@dataclass(frozen=True)
class Play:
    """What one run did."""

    code: int
    tasks: tuple[Task, ...]
    seconds: float
    output: str

    @property
    def changed(self) -> list[str]:
        return [task.name for task in self.tasks if task.changed]

    @property
    def skipped(self) -> list[str]:
        return [task.name for task in self.tasks if task.outcome == "skipped"]

    @property
    def failure(self) -> str:
        """The first failed task's message."""
        return next(str(task.result.get("msg")) for task in self.tasks if task.outcome == "failed")

    def of(self, host: str) -> Play:
        """One host's part."""
        return dataclasses.replace(self, tasks=tuple(task for task in self.tasks if task.host == host))

    @property
    def failed(self) -> bool:
        return any(task.outcome in ("failed", "unreachable") for task in self.tasks)

    def task(self, name: str) -> Task:
        return next(task for task in self.tasks if task.name.endswith(name))


def play(
    playbook: Path,
    inventory: Path | str,
    workdir: Path,
    variables: Mapping[str, Any],
    *,
    check: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Play:
    """Run ``ansible-playbook``; ``workdir`` takes its temporary files."""
    lines = workdir / f"tasks-{time.monotonic_ns()}.jsonl"
    lines.touch()
    (workdir / "ansible.cfg").touch()  # nothing of the user's own
    extra = workdir / "variables.json"
    extra.write_text(json.dumps(variables))
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), str(playbook)]
    argv += ["--extra-vars", f"@{extra}", *(["--check", "--diff"] if check else [])]
    settings = {
        "ANSIBLE_CONFIG": str(workdir / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS),
        "ANSIBLE_STDOUT_CALLBACK": "json_lines",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_LOCAL_TEMP": str(workdir / "tmp"),
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "JSON_LINES": str(lines),
    }
    began = time.monotonic()
    done = subprocess.run(
        argv,
        env={**os.environ, **settings, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    tasks = []
    for line in lines.read_text().splitlines():
        task = json.loads(line)
        tasks.append(Task(task["host"], task["task"], task["outcome"], task["result"]))
    return Play(done.returncode, tuple(tasks), time.monotonic() - began, done.stdout + done.stderr)
