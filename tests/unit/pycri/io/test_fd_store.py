"""pycri-io and systemd's file descriptor store, with the test in systemd's place."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycri.io.client import DataPlaneClient

# What systemd does between fork and exec: descriptors from 3 on, and whose they are.
_EXEC = """
import fcntl, os, sys
fds = [int(fd) for fd in os.environ["TEST_FDS"].split()]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in fds]
for fd in fds:
    os.set_inheritable(fd, False)
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)))
os.execv(sys.executable, [sys.executable, "-m", "pycri", "--config", sys.argv[1], "io"])
"""


class Systemd:
    """Keeps what the daemon stores, and hands it to the next one."""

    def __init__(self, directory: Path) -> None:
        self.stored: dict[str, int] = {}
        self.config = directory / "config.toml"
        self.config.write_text(f"run = {json.dumps(str(directory / 'run'))}\n")
        self.address = str(directory / "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.socket.settimeout(20)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": self.address,
            "LISTEN_FDNAMES": ":".join(self.stored),
            "TEST_FDS": " ".join(str(fd) for fd in self.stored.values()),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _EXEC, str(self.config)],
            env=environment,
            pass_fds=list(self.stored.values()),
            stderr=subprocess.DEVNULL,
        )
        self.receive("READY=1")

    def receive(self, until: str) -> None:
        """Takes messages until one contains ``until``."""
        while True:
            message, fds, _, _ = socket.recv_fds(self.socket, 4096, 8)
            lines = dict(line.split("=", 1) for line in message.decode().splitlines())
            if "FDSTORE" in lines:
                assert lines["FDPOLL"] == "0"
                self.stored[lines["FDNAME"]] = fds[0]
            if "FDSTOREREMOVE" in lines and lines["FDNAME"] in self.stored:
                os.close(self.stored.pop(lines["FDNAME"]))
            if until in message.decode():
                return

    def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(20)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    manager = Systemd(tmp_path)
    yield manager
    if manager.process is not None and manager.process.poll() is None:
        manager.end(signal.SIGKILL)
    manager.socket.close()
    for fd in manager.stored.values():
        os.close(fd)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_last_words_and_stdin_outlive_the_daemon(
    systemd: Systemd, tmp_path: Path, number: signal.Signals
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    await asyncio.to_thread(systemd.start)
    async with DataPlaneClient(tmp_path / "run" / "io.sock") as client:
        stdio = await client.open("c1", log_path=str(logs / "0.log"), log_directory=str(logs), stdin=True)
        await asyncio.to_thread(systemd.receive, "FDNAME=c1.stdin")
        assert sorted(systemd.stored) == ["c1.stderr", "c1.stdin", "c1.stdout"]
        shim = [os.open(path, os.O_WRONLY) for path in (stdio.stdout, stdio.stderr)]
        stdin = os.open(stdio.stdin, os.O_RDONLY | os.O_NONBLOCK)

        await asyncio.to_thread(systemd.end, number)
        # the task writes and dies, and its shim with it, while there is no pycri-io
        os.write(shim[0], b"last words\n")
        for fd in shim:
            os.close(fd)
        with pytest.raises(BlockingIOError):  # not end of file: the store still holds the other end
            os.read(stdin, 1)

        await asyncio.to_thread(systemd.start)
        assert await client.drain("c1", 10)
        assert (logs / "0.log").read_bytes().endswith(b" stdout F last words\n")
        with pytest.raises(BlockingIOError):
            os.read(stdin, 1)
        await client.close("c1")
        await asyncio.to_thread(systemd.receive, "FDNAME=c1.stdin")
        assert systemd.stored == {}
        assert os.read(stdin, 1) == b""
        os.close(stdin)
