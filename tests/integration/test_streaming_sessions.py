"""Exec, attach and port-forward against real tasks, with the protocols that kubectl and crictl speak."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import re
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pycri.config import Config, ContainerdSettings
from pycri.containerd import Containerd
from pycri.io.app import serve
from pycri.io.client import DataPlaneClient
from tests.support.busybox_task import BusyboxTask, busybox_rootfs, busybox_task, process_spec
from tests.support.containerd import ContainerdHost
from tests.support.streaming_client import SpdyClient, WebSocketClient

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerdHost]:
    with ContainerdHost() as host:
        busybox_rootfs(host.work_dir / "rootfs")
        yield host


@pytest.fixture
def config(host: ContainerdHost) -> Config:
    return Config(run=str(host.work_dir / "run"), containerd=ContainerdSettings(address=host.address))


@pytest.fixture
async def client(host: ContainerdHost) -> AsyncIterator[Containerd]:
    async with host.client() as client:
        yield client


@pytest.fixture
async def io(config: Config) -> AsyncIterator[DataPlaneClient]:
    async with serve(config), DataPlaneClient(config.io_socket) as io:
        yield io


@pytest.fixture
async def task(host: ContainerdHost, client: Containerd) -> AsyncIterator[BusyboxTask]:
    async with busybox_task(client, host.work_dir / "rootfs", ["sleep", "1000"]) as task:
        await task.start()
        yield task


async def exec_url(io: DataPlaneClient, task: BusyboxTask, *args: str, tty: bool = False) -> str:
    spec = process_spec(*args, tty=tty)
    return await io.prepare_exec(task.id, spec, tty=tty, stdin=True, stdout=True, stderr=not tty)


async def exec_runs(client: Containerd, task: BusyboxTask) -> None:
    """Returns when a second process is in the container."""
    async with asyncio.timeout(30):
        while len(await client.tasks.pids(task.id)) < 2:  # noqa: ASYNC110 - containerd is polled
            await asyncio.sleep(0.02)


async def no_execs_left(config: Config, client: Containerd, task: BusyboxTask) -> None:
    for _ in range(200):
        if not any((Path(config.run) / "exec").iterdir()):
            break
        await asyncio.sleep(0.02)
    assert not any((Path(config.run) / "exec").iterdir())
    assert [process.pid for process in await client.tasks.pids(task.id)] == [task.pid]


@pytest.mark.parametrize("version", [4, 3, 2, 1])
async def test_exec_over_spdy(io: DataPlaneClient, task: BusyboxTask, version: int) -> None:
    name = f"v{version}.channel.k8s.io" if version > 1 else "channel.k8s.io"
    spdy = await SpdyClient.connect(await exec_url(io, task, "sh", "-c", "cat; echo err >&2; exit 3"), name)
    error = spdy.open(streamType="error")
    stdin, stdout, stderr = (spdy.open(streamType=kind) for kind in ("stdin", "stdout", "stderr"))
    spdy.send(stdin, b"typed before the process ran")
    spdy.send(stdin, b"", fin=True)
    assert await spdy.text(stdout) == b"typed before the process ran"
    assert await spdy.text(stderr) == b"err\n"
    status = await spdy.text(error)
    if version == 4:
        document = json.loads(status)
        assert document["reason"] == "NonZeroExitCode"
        assert document["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    else:
        assert status == b"command terminated with non-zero exit code: exit status 3"
    await spdy.until(lambda: spdy.closed)
    await spdy.close()


async def test_exec_success_and_failure_to_start(
    io: DataPlaneClient, task: BusyboxTask, client: Containerd, config: Config
) -> None:
    for args, expected in ((["true"], "Success"), (["no-such-program"], "Failure")):
        spdy = await SpdyClient.connect(await exec_url(io, task, *args))
        error, *_ = [spdy.open(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr")]
        document = json.loads(await spdy.text(error))
        assert document["status"] == expected
        if expected == "Failure":
            assert "no-such-program" in document["message"]
        await spdy.close()
    await no_execs_left(config, client, task)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
async def test_exec_with_one_output_only(
    io: DataPlaneClient, task: BusyboxTask, client: Containerd, config: Config, name: str
) -> None:
    wanted = {kind: kind == name for kind in ("stdin", "stdout", "stderr")}
    url = await io.prepare_exec(task.id, process_spec("sh", "-c", "echo o; echo e >&2"), tty=False, **wanted)
    spdy = await SpdyClient.connect(url)
    error, output = (spdy.open(streamType=kind) for kind in ("error", name))
    assert await spdy.text(output) == {"stdout": b"o\n", "stderr": b"e\n"}[name]
    assert json.loads(await spdy.text(error))["status"] == "Success"
    await spdy.close()
    await no_execs_left(config, client, task)
    assert Path(os.devnull).is_char_device()


async def test_exec_tty_resize(io: DataPlaneClient, task: BusyboxTask) -> None:
    spdy = await SpdyClient.connect(await exec_url(io, task, "sh", tty=True))
    error, stdin, stdout, resize = (spdy.open(streamType=k) for k in ("error", "stdin", "stdout", "resize"))
    spdy.send(resize, b'{"Width":93,"Hei')
    spdy.send(resize, b'ght":37}\n')
    spdy.send(stdin, b"stty size\n")  # typed ahead
    await spdy.until(lambda: b"37 93" in spdy.data[stdout])
    spdy.send(resize, b'{"Width":120,"Height":50}')
    while b"50 120" not in spdy.data[stdout]:
        spdy.data[stdout].clear()
        spdy.send(stdin, b"stty size\n")
        await spdy.until(lambda: re.search(rb"\d+ \d+", spdy.data[stdout]))
    spdy.send(stdin, b"exit 5\n")
    assert json.loads(await spdy.text(error))["details"]["causes"][0]["message"] == "5"
    await spdy.close()


async def test_large_output_arrives_whole(io: DataPlaneClient, task: BusyboxTask) -> None:
    url = await exec_url(io, task, "dd", "if=/dev/zero", "bs=1048576", "count=64")
    spdy = await SpdyClient.connect(url)
    _, _, stdout, _ = (spdy.open(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr"))
    await spdy.until(lambda: stdout in spdy.ended)
    assert len(spdy.data[stdout]) == 64 << 20
    await spdy.close()


async def test_slow_client_slows_the_process_and_costs_no_memory(
    io: DataPlaneClient, task: BusyboxTask, client: Containerd, config: Config
) -> None:
    """Security row "exec/attach exhaustion"."""
    before = _rss()
    spdy = await SpdyClient.connect(await exec_url(io, task, "yes", "x" * 1000))
    spdy._task.cancel()  # a client that does not read
    for kind in ("error", "stdin", "stdout", "stderr"):
        spdy.open(streamType=kind)
    await exec_runs(client, task)
    await asyncio.sleep(0.5)
    assert _rss() - before < 64 << 20
    await spdy.close()
    await no_execs_left(config, client, task)


async def test_client_that_leaves_ends_the_process(
    io: DataPlaneClient, task: BusyboxTask, client: Containerd, config: Config
) -> None:
    spdy = await SpdyClient.connect(await exec_url(io, task, "sh", "-c", "echo up; sleep 771; true"))
    _, _, stdout, _ = (spdy.open(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr"))
    await spdy.until(lambda: spdy.data[stdout])
    await spdy.close()
    await no_execs_left(config, client, task)


async def test_stdin_nobody_reads_does_not_hide_the_clients_end(
    io: DataPlaneClient, task: BusyboxTask, client: Containerd, config: Config
) -> None:
    spdy = await SpdyClient.connect(await exec_url(io, task, "sleep", "772"))
    _, stdin, _, _ = (spdy.open(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr"))
    for _ in range(64):
        spdy.send(stdin, b"x" * 65536)
    await exec_runs(client, task)
    await asyncio.sleep(0.3)  # stdin's pipe is full then, and the connection no longer read from
    # a reset overtakes what is under way; a plain end waits behind it, unseen, for as long as TCP lets it
    spdy.reset()
    for _ in range(400):
        if not any((Path(config.run) / "exec").iterdir()):
            break
        await asyncio.sleep(0.05)
    await no_execs_left(config, client, task)
    await spdy.close()


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io", ""])
async def test_exec_over_websocket(io: DataPlaneClient, task: BusyboxTask, protocol: str) -> None:
    script = "cat; echo err >&2; exit 4" if protocol.startswith("v5") else "head -n 1; echo err >&2; exit 4"
    websocket = await WebSocketClient.connect(await exec_url(io, task, "sh", "-c", script), protocol)
    websocket.send(b"\x00typed\n")
    if protocol.startswith("v5"):
        websocket.send(b"\xff\x00")
    websocket.send(b"are you there", opcode=9)
    found = await websocket.channels()
    assert found[1] == b"typed\n"
    assert found[2] == b"err\n"
    if protocol.startswith("v"):
        assert json.loads(found[3])["details"]["causes"][0]["message"] == "4"
    else:
        assert b"exit status 4" in found[3]
    await websocket.close()


async def test_exec_over_base64(io: DataPlaneClient, task: BusyboxTask) -> None:
    url = await exec_url(io, task, "head", "-n", "1")
    websocket = await WebSocketClient.connect(url, "v4.base64.channel.k8s.io")
    websocket.send(b"0" + base64.b64encode(b"typed\n"), opcode=1)
    texts = b""
    while b"typed" not in texts:
        opcode, data = await websocket.message()
        assert opcode == 1
        texts += base64.b64decode(data[1:]) if data[:1] == b"1" else b""
    await websocket.close()


async def test_attach(host: ContainerdHost, io: DataPlaneClient, client: Containerd) -> None:
    script = "while read line; do echo got $line; done; echo bye"
    async with busybox_task(client, host.work_dir / "rootfs", ["sh", "-c", script]) as task:
        stdio = await io.open(task.id, stdin=True, stdin_once=True)
        await task.start(**dataclasses.asdict(stdio))
        options = {"tty": False, "stdin": True, "stdout": True, "stderr": True}
        watcher = await SpdyClient.connect(await io.prepare_attach(task.id, **{**options, "stdin": False}))
        watched = [watcher.open(streamType=kind) for kind in ("error", "stdout", "stderr")]
        await watcher.until(lambda: watcher.replied >= set(watched))
        spdy = await SpdyClient.connect(await io.prepare_attach(task.id, **options))
        error, stdin, stdout, _ = (
            spdy.open(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr")
        )
        spdy.send(stdin, b"one\n")
        await spdy.until(lambda: spdy.data[stdout] == b"got one\n")
        spdy.send(stdin, b"", fin=True)  # stdin_once: the container's end of input
        assert await spdy.text(stdout) == b"got one\nbye\n"
        assert json.loads(await spdy.text(error))["status"] == "Success"
        assert await watcher.text(watched[1]) == b"got one\nbye\n"
        assert await task.wait() == 0
        assert await io.drain(task.id, 5)
        await io.close(task.id)
        await spdy.close()
        await watcher.close()


async def test_attach_survives_a_client_that_does_not_read(
    host: ContainerdHost, io: DataPlaneClient, client: Containerd
) -> None:
    log = host.work_dir / "logs" / "full-speed.log"
    log.parent.mkdir(exist_ok=True)
    async with busybox_task(client, host.work_dir / "rootfs", ["sh", "-c", "sleep 0.3; seq 600000"]) as task:
        stdio = await io.open(task.id, log_path=str(log), log_directory=str(log.parent))
        await task.start(**dataclasses.asdict(stdio))
        url = await io.prepare_attach(task.id, tty=False, stdin=False, stdout=True, stderr=True)
        spdy = await SpdyClient.connect(url)
        streams = {spdy.open(streamType=kind) for kind in ("error", "stdout", "stderr")}
        await spdy.until(lambda: spdy.replied >= streams)
        spdy._task.cancel()
        assert await task.wait() == 0  # neither the container nor its log was held up
        assert await io.drain(task.id, 20)
        assert log.read_bytes().count(b"\n") == 600000
        await io.close(task.id)
        await spdy.close()


@contextlib.contextmanager
def pod_netns() -> Iterator[str]:
    name = f"nst-io-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield f"/run/netns/{name}"
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


async def echo_server(netns: str, address: str) -> subprocess.Popen[bytes]:
    script = (
        "import socket,sys\n"
        "family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
        "server = socket.create_server((sys.argv[1], 8080), family=family)\n"
        "print('listening', flush=True)\n"
        "while True:\n"
        "    connection, _ = server.accept()\n"
        "    total = b''\n"
        "    while data := connection.recv(65536): total += data\n"
        "    connection.sendall(b'echo ' + total)\n"
        "    connection.close()\n"
    )
    command = ["nsenter", f"--net={netns}", "python3", "-c", script, address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220 - quick enough
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == b"listening\n"
    return process


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_port_forward_over_spdy(io: DataPlaneClient, address: str) -> None:
    with pod_netns() as netns:
        server = await echo_server(netns, address)
        try:
            spdy = await SpdyClient.connect(
                await io.prepare_port_forward("pod", netns, [8080]), "portforward.k8s.io"
            )
            for number in range(3):
                common = {"port": "8080", "requestID": str(number)}
                error = spdy.open(streamType="error", **common)
                data = spdy.open(streamType="data", **common)
                spdy.send(error, b"", fin=True)
                message = b"x" * 300_000 + b"%d" % number
                spdy.send(data, message)
                spdy.send(data, b"", fin=True)
                assert await spdy.text(data) == b"echo " + message
                assert await spdy.text(error) == b""
            error = spdy.open(streamType="error", port="1", requestID="9")
            data = spdy.open(streamType="data", port="1", requestID="9")
            assert b"failed to connect to localhost:1 inside" in await spdy.text(error)
            bad = spdy.open(streamType="data", port="99999", requestID="10")
            await spdy.until(lambda: bad in spdy.resets)
            await spdy.close()
        finally:
            server.kill()
            server.communicate()


async def test_port_forward_in_a_tunnel_and_on_channels(io: DataPlaneClient) -> None:
    with pod_netns() as netns:
        server = await echo_server(netns, "127.0.0.1")
        try:
            await _tunnel(await io.prepare_port_forward("pod", netns, []))
            url = await io.prepare_port_forward("pod", netns, [1])
            websocket = await WebSocketClient.connect(url, "v4.channel.k8s.io")
            assert await websocket.message() == (2, b"\x00" + struct.pack("<H", 1))
            assert await websocket.message() == (2, b"\x01" + struct.pack("<H", 1))
            opcode, text = await websocket.message()
            assert (opcode, text[0]) == (2, 1)
            assert b"failed to connect" in text
            await websocket.close()
        finally:
            server.kill()
            server.communicate()


async def _tunnel(url: str) -> None:
    """kubectl's way: SPDY's bytes in binary messages, wherever they are cut."""
    websocket = await WebSocketClient.connect(url, "SPDY/3.1+portforward.k8s.io")
    outer_reader, inner_writer = asyncio.StreamReader(), _TunnelWriter(websocket)

    async def feed() -> None:
        while True:
            opcode, data = await websocket.message()
            if opcode != 2:
                outer_reader.feed_eof()
                return
            outer_reader.feed_data(data)

    feeding = asyncio.create_task(feed())
    spdy = SpdyClient(outer_reader, inner_writer)  # type: ignore[arg-type]
    error = spdy.open(streamType="error", port="8080", requestID="1")
    data = spdy.open(streamType="data", port="8080", requestID="1")
    spdy.send(data, b"through the tunnel", fin=True)
    assert await spdy.text(data) == b"echo through the tunnel"
    assert await spdy.text(error) == b""
    websocket.send(struct.pack(">H", 1000), opcode=8)
    await feeding
    await spdy.close()


class _TunnelWriter:
    def __init__(self, websocket: WebSocketClient) -> None:
        self._websocket = websocket

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), 7):
            self._websocket.send(data[start : start + 7])

    def close(self) -> None:
        self._websocket._writer.close()

    async def wait_closed(self) -> None:
        await self._websocket.close()


async def test_stopping_pycri_io_ends_sessions_and_their_processes(
    config: Config, task: BusyboxTask, client: Containerd
) -> None:
    async with serve(config), DataPlaneClient(config.io_socket) as io:
        spdy = await SpdyClient.connect(await exec_url(io, task, "sh", "-c", "echo up; sleep 773; true"))
        _, _, stdout, _ = (spdy.open(streamType=kind) for kind in ("error", "stdin", "stdout", "stderr"))
        await spdy.until(lambda: spdy.data[stdout])
    await spdy.until(lambda: spdy.closed)
    await spdy.close()
    await no_execs_left(config, client, task)


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
