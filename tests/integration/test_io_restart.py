"""pycri-io as a process of its own, ended and killed while a container writes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from pycri.io.client import DataPlaneClient
from tests.support.busybox_task import busybox_rootfs, busybox_task
from tests.support.containerd import ContainerdHost

pytestmark = pytest.mark.integration

# numbered lines as fast as a shell can write them, until it is told to stop; each line in two writes, so that
# what pycri-io has read often ends within a line
WRITER = "i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo -n $i; echo; done; echo $i > /tmp/count"


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerdHost]:
    with ContainerdHost() as host:
        busybox_rootfs(host.work_dir / "rootfs")
        (host.work_dir / "logs").mkdir()
        (host.work_dir / "config.toml").write_text(
            f"run = {json.dumps(str(host.work_dir / 'run'))}\n"
            f"[containerd]\naddress = {json.dumps(host.address)}\n"
        )
        yield host


class Daemon:
    """``pycri io`` as systemd would run it, without the file descriptor store."""

    def __init__(self, host: ContainerdHost) -> None:
        self._host = host
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        config = str(self._host.work_dir / "config.toml")
        command = [sys.executable, "-m", "pycri", "--config", config, "io"]
        self.process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)

    async def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 20)


def numbers(log: Path) -> tuple[list[int], float]:
    """The numbers in the log, lines joined from their parts; the longest gap between stamps, in seconds."""
    found, parts, gap, before = [], "", 0.0, 0.0
    for line in log.read_text().splitlines():
        stamp, _, tag, text = line.split(" ", 3)
        at = datetime.fromisoformat(stamp[:26] + "+00:00").timestamp()
        gap, before = max(gap, at - before if before else 0.0), at
        parts += text
        if tag == "F":
            found.append(parts)
            parts = ""
    assert not parts
    return [int(text) for text in found if re.fullmatch(r"\d+", text)], gap


async def write_through(
    host: ContainerdHost, number: signal.Signals, times: int
) -> tuple[list[int], int, float]:
    """A container writes while pycri-io is ended ``times`` times; the log, what was written, longest gap."""
    log = host.work_dir / "logs" / f"{number.name}.log"
    run = host.work_dir / "run"
    stop, count = host.work_dir / "rootfs/tmp/stop", host.work_dir / "rootfs/tmp/count"
    stop.unlink(missing_ok=True)
    daemon = Daemon(host)
    await daemon.start()
    async with (
        host.client() as client,
        busybox_task(client, host.work_dir / "rootfs", ["sh", "-c", WRITER]) as task,
        DataPlaneClient(run / "io.sock") as io,
    ):
        stdio = await io.open(task.id, log_path=str(log), log_directory=str(log.parent))
        await task.start(**dataclasses.asdict(stdio))
        for _ in range(times):
            size = log.stat().st_size
            while log.stat().st_size < size + 20_000:  # noqa: ASYNC110 - it writes again
                await asyncio.sleep(0.005)
            code = await daemon.end(number)
            assert code == (0 if number is signal.SIGTERM else -number)
            await daemon.start()
            await io.hello()
        stop.touch()
        assert await asyncio.wait_for(task.wait(), 30) == 0
        assert await io.drain(task.id, 30)
        await io.close(task.id)
    assert await daemon.end(signal.SIGTERM) == 0
    written = int(count.read_text())
    found, gap = numbers(log)
    return found, written, gap


async def test_graceful_restarts_lose_and_double_nothing(host: ContainerdHost) -> None:
    started = time.monotonic()
    found, written, gap = await write_through(host, signal.SIGTERM, 20)
    print(f"20 graceful restarts: {written} lines, longest gap {gap * 1000:.0f} ms")
    print(f"in {time.monotonic() - started:.1f} s")
    assert found == list(range(1, written + 1))


async def test_kills_lose_and_double_nothing(host: ContainerdHost) -> None:
    found, written, gap = await write_through(host, signal.SIGKILL, 20)
    lost = set(range(1, written + 1)) - set(found)
    doubled = len(found) - len(set(found))
    print(f"20 kills: {written} lines, {len(lost)} lost, {doubled} doubled, longest gap {gap * 1000:.0f} ms")
    assert (len(lost), doubled) == (0, 0)
