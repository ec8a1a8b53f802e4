from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pycri.errors import NotFound, Unavailable, Unknown
from pycri.io import output
from pycri.io.exec_process import ExecRunner
from pycri.io.exec_sync import exec_sync
from pycri.io.session_kill import kill_session


class FakeTasks:
    """containerd's tasks, as far as an exec needs them; ``body`` is what the process does with its FIFOs."""

    def __init__(self, body: Callable[[dict[str, int]], int | None] = lambda _: 0) -> None:
        self.body = body
        self.processes: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.unavailable = 0
        self.started = asyncio.Event()

    async def exec(self, container_id: str, exec_id: str, spec: Any, **options: Any) -> None:
        if container_id == "missing":
            raise NotFound("no running task")
        self.processes[exec_id] = {"options": options, "exit": asyncio.Event(), "code": 0}

    async def start(self, container_id: str, exec_id: str) -> int:
        process = self.processes[exec_id]
        paths = {name: path for name, path in process["options"].items() if isinstance(path, str) and path}
        ends = {name: os.open(path, os.O_WRONLY) for name, path in paths.items() if name != "stdin"}
        process["ends"] = ends
        self.started.set()
        code = self.body(ends)
        if code is not None:
            for fd in ends.values():
                os.close(fd)
            ends.clear()
            process["code"] = code
            process["exit"].set()
        return 0

    async def wait(self, container_id: str, exec_id: str) -> Any:
        await self.processes[exec_id]["exit"].wait()
        return SimpleNamespace(exit_status=self.processes[exec_id]["code"])

    async def kill(self, container_id: str, number: int, *, exec_id: str) -> None:
        self.finish(exec_id, 137)

    async def get(self, container_id: str, exec_id: str) -> Any:
        return SimpleNamespace(pid=0)

    async def delete_exec(self, container_id: str, exec_id: str) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise Unavailable("containerd restarts")
        if exec_id not in self.processes:
            raise NotFound("no such exec")
        if not self.processes[exec_id]["exit"].is_set():
            raise Unknown("cannot delete a running process")
        del self.processes[exec_id]
        self.deleted.append(exec_id)

    def finish(self, exec_id: str, code: int) -> None:
        process = self.processes[exec_id]
        for fd in process["ends"].values():
            os.close(fd)
        process.update(ends={}, code=code)
        process["exit"].set()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def runner_for(tasks: FakeTasks, tmp_path: Path) -> ExecRunner:
    (tmp_path / "exec").mkdir(exist_ok=True)
    return ExecRunner(tasks, tmp_path / "exec")  # type: ignore[arg-type]


async def settled(runner: ExecRunner, tasks: FakeTasks, tmp_path: Path) -> None:
    await runner.close(5)
    assert tasks.processes == {}
    assert list((tmp_path / "exec").iterdir()) == []


async def test_output_and_exit_code(tmp_path: Path) -> None:
    def body(ends: dict[str, int]) -> int:
        os.write(ends["stdout"], b"out")
        os.write(ends["stderr"], b"err")
        return 3

    tasks = FakeTasks(body)
    runner = runner_for(tasks, tmp_path)
    result = await exec_sync(runner, "c1", b"{}", timeout=5, max_output_bytes=100)
    assert (result.stdout, result.stderr, result.exit_code, result.timed_out) == (b"out", b"err", 3, False)
    await settled(runner, tasks, tmp_path)


async def test_output_is_bounded_and_the_rest_is_read(tmp_path: Path) -> None:
    """Security row "exec/attach exhaustion"."""
    tasks = FakeTasks(lambda ends: os.write(ends["stdout"], b"x" * 1_000_000) and 0)
    runner = runner_for(tasks, tmp_path)
    result = await exec_sync(runner, "c1", b"{}", timeout=5, max_output_bytes=10)
    assert result.stdout == b"x" * 10
    await settled(runner, tasks, tmp_path)


async def test_timeout_kills_and_deletes(tmp_path: Path) -> None:
    tasks = FakeTasks(lambda _: None)
    runner = runner_for(tasks, tmp_path)
    result = await exec_sync(runner, "c1", b"{}", timeout=0.05, max_output_bytes=10)
    assert result.timed_out
    await settled(runner, tasks, tmp_path)


async def test_background_child_cannot_hang_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "SILENCE_SECONDS", 0.05)
    kept: list[int] = []

    def body(ends: dict[str, int]) -> int:
        kept.append(os.dup(ends["stdout"]))  # the child's copy
        os.write(ends["stdout"], b"done")
        return 0

    tasks = FakeTasks(body)
    runner = runner_for(tasks, tmp_path)
    result = await exec_sync(runner, "c1", b"{}", timeout=0, max_output_bytes=10)
    assert (result.stdout, result.timed_out) == (b"done", False)
    os.close(kept[0])
    await settled(runner, tasks, tmp_path)


async def test_cancelled_call_leaves_nothing(tmp_path: Path) -> None:
    tasks = FakeTasks(lambda _: None)
    runner = runner_for(tasks, tmp_path)
    before = open_files()
    call = asyncio.create_task(exec_sync(runner, "c1", b"{}", timeout=0, max_output_bytes=10))
    await tasks.started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await settled(runner, tasks, tmp_path)
    assert open_files() == before


async def test_failed_start_is_reported_and_leaves_no_descriptor(tmp_path: Path) -> None:
    tasks = FakeTasks()
    runner = runner_for(tasks, tmp_path)
    before = open_files()
    with pytest.raises(NotFound, match="no running task"):
        await exec_sync(runner, "missing", b"{}", timeout=0, max_output_bytes=10)
    await settled(runner, tasks, tmp_path)
    assert open_files() == before


async def test_delete_outlasts_a_restart_of_containerd(tmp_path: Path) -> None:
    tasks = FakeTasks()
    tasks.unavailable = 3
    runner = runner_for(tasks, tmp_path)
    await exec_sync(runner, "c1", b"{}", timeout=0, max_output_bytes=10)
    await settled(runner, tasks, tmp_path)


async def test_leftovers_of_a_killed_pycri_io_are_removed(tmp_path: Path) -> None:
    tasks = FakeTasks(lambda _: None)
    killed = runner_for(tasks, tmp_path)
    context = killed.process("c1", b"{}")
    process = await context.__aenter__()
    (tmp_path / "exec" / "junk").touch()
    runner = runner_for(tasks, tmp_path)
    assert runner.recover() == 2
    await settled(runner, tasks, tmp_path)
    assert tasks.deleted == [process.exec_id]
    for fd in process.readers.values():
        os.close(fd)
    await context.__aexit__(None, None, None)
    await killed.close(5)


def test_kill_session_finds_the_children_of_a_dead_leader() -> None:
    script = "import subprocess; subprocess.Popen(['sleep', '1000']); print('started', flush=True)"
    leader = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    assert leader.stdout.readline() == b"started\n"
    leader.wait()
    assert kill_session(leader.pid) == 1
    assert leader.stdout.read() == b""  # the child is gone, and with it the pipe
    leader.stdout.close()
    assert kill_session(leader.pid) == 0


def test_kill_session_takes_the_leader_too() -> None:
    leader = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    assert kill_session(leader.pid) == 1
    assert leader.wait() == -signal.SIGKILL
