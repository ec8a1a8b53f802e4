"""pycri-io on a real containerd: logs, drain, restart, ExecSync."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pycri.config import Config, ContainerdSettings
from pycri.containerd import Containerd
from pycri.errors import NotFound, PycriError
from pycri.io.app import serve
from pycri.io.client import DataPlaneClient
from tests.support.busybox_task import busybox_rootfs, busybox_task, process_spec
from tests.support.containerd import ContainerdHost

pytestmark = pytest.mark.integration

# numbered lines as fast as a shell can write them, until it is told to stop
WRITER = "i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i; done; echo $i > /tmp/count"


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerdHost]:
    with ContainerdHost() as host:
        busybox_rootfs(host.work_dir / "rootfs")
        (host.work_dir / "logs").mkdir()
        yield host


@pytest.fixture
def config(host: ContainerdHost) -> Config:
    return Config(run=str(host.work_dir / "run"), containerd=ContainerdSettings(address=host.address))


@pytest.fixture
async def client(host: ContainerdHost) -> AsyncIterator[Containerd]:
    async with host.client() as client:
        yield client


def texts(log: Path) -> list[bytes]:
    """The text of each log line, its parts joined."""
    out, parts = [], b""
    for line in log.read_bytes().splitlines():
        found = re.fullmatch(rb"\S+ (stdout|stderr) ([PF]) (.*)", line)
        assert found, f"not a CRI log line: {line!r}"
        parts += found[3]
        if found[2] == b"F":
            out.append(parts)
            parts = b""
    return [*out, parts] if parts else out


async def test_short_job_keeps_its_last_lines(
    host: ContainerdHost, config: Config, client: Containerd
) -> None:
    logs = host.work_dir / "logs"
    rootfs = host.work_dir / "rootfs"
    async with serve(config), DataPlaneClient(config.io_socket) as io:
        for number in range(5):
            async with busybox_task(client, rootfs, ["sh", "-c", "seq 5000; echo -n end"]) as task:
                log = logs / f"job{number}" / "0.log"
                stdio = await io.open(task.id, log_path=str(log), log_directory=str(logs))
                await task.start(**dataclasses.asdict(stdio))
                assert await task.wait() == 0
                assert await io.drain(task.id, 10)
                assert texts(log) == [b"%d" % n for n in range(1, 5001)] + [b"end"]
                await io.close(task.id)
    assert list((Path(config.run) / "io").iterdir()) == []


async def test_graceful_restarts_lose_and_double_no_line(
    host: ContainerdHost, config: Config, client: Containerd
) -> None:
    log = host.work_dir / "logs" / "restarts.log"
    script = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo $i; done"
    async with busybox_task(client, host.work_dir / "rootfs", ["sh", "-c", script]) as task:
        async with serve(config), DataPlaneClient(config.io_socket) as io:
            stdio = await io.open(task.id, log_path=str(log), log_directory=str(log.parent))
            await task.start(**dataclasses.asdict(stdio))
        for _ in range(8):
            async with serve(config), DataPlaneClient(config.io_socket) as io:
                assert await io.list_containers() == [task.id]
        async with serve(config), DataPlaneClient(config.io_socket) as io:
            assert await task.wait() == 0
            assert await io.drain(task.id, 20)
            await io.close(task.id)
    assert texts(log) == [b"%d" % n for n in range(1, 60001)]


async def test_rotation_under_load_loses_no_line(
    host: ContainerdHost, config: Config, client: Containerd
) -> None:
    logs = host.work_dir / "logs"
    log = logs / "rotated.log"
    async with (
        serve(config),
        DataPlaneClient(config.io_socket) as io,
        busybox_task(client, host.work_dir / "rootfs", ["sh", "-c", WRITER]) as task,
    ):
        stdio = await io.open(task.id, log_path=str(log), log_directory=str(logs))
        await task.start(**dataclasses.asdict(stdio))
        for number in range(5):
            while log.stat().st_size < 20_000:  # noqa: ASYNC110 - it writes again
                await asyncio.sleep(0.005)
            log.rename(logs / f"rotated.log.{number}")
            await io.reopen_log(task.id)
        (host.work_dir / "rootfs/tmp/stop").touch()
        assert await task.wait() == 0
        assert await io.drain(task.id, 20)
        await io.close(task.id)
    written = int((host.work_dir / "rootfs/tmp/count").read_text())
    files = [*(logs / f"rotated.log.{number}" for number in range(5)), log]
    assert [text for file in files for text in texts(file)] == [b"%d" % n for n in range(1, written + 1)]


async def test_exec_sync(host: ContainerdHost, config: Config, client: Containerd) -> None:
    async with (
        serve(config),
        DataPlaneClient(config.io_socket) as io,
        busybox_task(client, host.work_dir / "rootfs", ["sleep", "1000"]) as task,
    ):
        await task.start()
        result = await io.exec_sync(task.id, process_spec("sh", "-c", "echo out; echo err >&2; exit 7"))
        assert (result.stdout, result.stderr, result.exit_code) == (b"out\n", b"err\n", 7)

        big = process_spec("dd", "if=/dev/zero", "bs=1048576", "count=20")
        result = await io.exec_sync(task.id, big, timeout=60)
        assert len(result.stdout) == 16 << 20  # security row "exec/attach exhaustion"
        assert b"20+0 records out" in result.stderr

        result = await io.exec_sync(task.id, process_spec("sh", "-c", "sleep 777; true"), timeout=0.3)
        assert result.timed_out
        background = process_spec("sh", "-c", "sleep 776 & echo started")
        result = await asyncio.wait_for(io.exec_sync(task.id, background), 10)
        assert result.stdout == b"started\n"
        result = await io.exec_sync(task.id, process_spec("ps"))
        assert b"sleep 777" not in result.stdout
        assert b"sleep 776" in result.stdout  # left behind on purpose, as a daemon is

        with pytest.raises(PycriError, match="no-such-program"):
            await io.exec_sync(task.id, process_spec("no-such-program"))
        with pytest.raises(NotFound):
            await io.exec_sync("0" * 64, process_spec("true"))
        await task.kill()
    assert list((Path(config.run) / "exec").iterdir()) == []


async def test_cancelled_exec_sync_leaves_nothing(
    host: ContainerdHost, config: Config, client: Containerd
) -> None:
    async with serve(config), busybox_task(client, host.work_dir / "rootfs", ["sleep", "1000"]) as task:
        await task.start()
        async with DataPlaneClient(config.io_socket) as io:
            call = asyncio.create_task(io.exec_sync(task.id, process_spec("sleep", "778")))
            while not (await client.tasks.pids(task.id))[1:]:  # noqa: ASYNC110 - seen in containerd only
                await asyncio.sleep(0.02)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            for _ in range(200):
                if not os.listdir(Path(config.run) / "exec"):  # noqa: PTH208
                    break
                await asyncio.sleep(0.05)
            assert len(await client.tasks.pids(task.id)) == 1
    assert list((Path(config.run) / "exec").iterdir()) == []


async def test_exec_sync_and_logs_outlive_a_restart_of_containerd(
    host: ContainerdHost, config: Config, client: Containerd
) -> None:
    log = host.work_dir / "logs" / "containerd-restart.log"
    script = "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo $i; done; sleep 1000"
    async with (
        serve(config),
        DataPlaneClient(config.io_socket) as io,
        busybox_task(client, host.work_dir / "rootfs", ["sh", "-c", script]) as task,
    ):
        stdio = await io.open(task.id, log_path=str(log), log_directory=str(log.parent))
        await task.start(**dataclasses.asdict(stdio))
        call = asyncio.create_task(
            io.exec_sync(task.id, process_spec("sh", "-c", "echo on; sleep 2; echo off"))
        )
        while not (await client.tasks.pids(task.id))[1:]:  # noqa: ASYNC110 - seen in containerd only
            await asyncio.sleep(0.02)
        await asyncio.to_thread(host.kill)
        await asyncio.to_thread(host.start)
        result = await asyncio.wait_for(call, 30)
        assert (result.stdout, result.exit_code) == (b"on\noff\n", 0)
        while not log.read_bytes().endswith(b" 40000\n"):  # noqa: ASYNC110 - it comes through the shim
            await asyncio.sleep(0.02)
        assert texts(log) == [b"%d" % n for n in range(1, 40001)]
        await task.kill()
        assert await io.drain(task.id, 10)
        await io.close(task.id)
