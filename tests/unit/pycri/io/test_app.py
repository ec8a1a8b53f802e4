from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycri._generated import io_pb2
from pycri.config import Config, ContainerdSettings
from pycri.errors import AlreadyExists, InvalidArgument, NotFound, Unavailable
from pycri.io import notify
from pycri.io.app import main, serve
from pycri.io.client import DataPlaneClient
from pycri.io.rpc import SERVICE, snake_case
from pycri.io.service import DataPlane


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        run=str(tmp_path / "run"), containerd=ContainerdSettings(address=str(tmp_path / "none.sock"))
    )


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify.sock"))
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify.sock"))
        yield receiver


async def test_boundary_end_to_end(config: Config, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    async with serve(config), DataPlaneClient(config.io_socket) as client:
        mode = Path(config.io_socket).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600  # security row "sockets, modes"
        assert (await client.hello()).pid == os.getpid()
        stdio = await client.open("c1", log_path=str(logs / "0.log"), log_directory=str(logs), stdin=True)
        assert stdio.stdin.endswith("/io/c1/stdin")
        assert stat.S_ISFIFO(Path(stdio.stderr).stat().st_mode)
        assert await client.list_containers() == ["c1"]
        await client.reopen_log("c1")
        assert await client.drain("c1", 1.0)  # no writer
        assert await client.drain("unknown", 1.0)
        with pytest.raises(NotFound, match="no streams of container unknown"):
            await client.reopen_log("unknown")
        with pytest.raises(InvalidArgument, match="outside of the log directory"):
            await client.open("c2", log_path="/etc/passwd", log_directory=str(logs))
        with pytest.raises(InvalidArgument):
            await client.exec_sync("", {})
        with pytest.raises(Unavailable, match="is containerd running"):
            await client.exec_sync("c1", {"args": ["true"]})
        await client.close("c1")
        await client.close("c1")
        assert await client.list_containers() == []


async def test_only_one_at_a_time(config: Config) -> None:
    async with serve(config):
        with pytest.raises(AlreadyExists, match="another pycri-io"):
            async with serve(config):
                pass


async def test_client_waits_for_a_restart(config: Config) -> None:
    async with DataPlaneClient(config.io_socket, patience=20) as client:
        early = asyncio.create_task(client.open("c1"))
        await asyncio.sleep(0)
        async with serve(config):
            await early
        async with serve(config):
            assert await client.list_containers() == ["c1"]
            await client.close("c1")


async def test_client_gives_up_with_a_hint(config: Config) -> None:
    async with DataPlaneClient(config.io_socket, patience=0.2) as client:
        with pytest.raises(Unavailable, match="systemctl status pycri-io"):
            await client.hello()
        with pytest.raises(Unavailable, match="systemctl status pycri-io"):
            await client.exec_sync("c1", {"args": ["true"]})  # without a time limit of its own


async def test_sigterm_ends_it_and_systemd_is_told(config: Config, systemd: socket.socket) -> None:
    running = asyncio.create_task(main(config))
    assert (await asyncio.to_thread(systemd.recv, 100)) == b"READY=1"
    async with DataPlaneClient(config.io_socket) as client:
        await client.open("c1", stdin=True)
    stored = {}
    for _ in range(3):
        message, fds, _, _ = await asyncio.to_thread(socket.recv_fds, systemd, 200, 1)
        assert message.startswith(b"FDSTORE=1\nFDNAME=c1.")
        assert message.endswith(b"FDPOLL=0")
        stored[message.split(b"\n")[1]] = fds[0]
    assert sorted(stored) == [b"FDNAME=c1.stderr", b"FDNAME=c1.stdin", b"FDNAME=c1.stdout"]
    for fd in stored.values():
        os.close(fd)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)
    assert systemd.recv(100) == b"STOPPING=1"
    assert not Path(config.run, "io", "c1", "stdio.json.new").exists()


def test_stored_fds_come_back_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert notify.take_stored_fds() == {}
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_FDNAMES", "a:b")
    assert notify.take_stored_fds() == {}  # meant for another process
    assert "LISTEN_FDS" not in os.environ


def test_nobody_to_notify(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify.notify("READY=1")


def test_every_method_of_the_service_is_implemented() -> None:
    missing = [m.name for m in SERVICE.methods if not hasattr(DataPlane, snake_case(m.name))]
    assert missing == []
    assert io_pb2.DESCRIPTOR.package == "pycri.io.v1"
