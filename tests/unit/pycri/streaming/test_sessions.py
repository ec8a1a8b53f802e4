"""Sessions over real loopback connections, with containerd's tasks faked and FIFOs real."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pycri.io.exec_process import ExecRunner
from pycri.io.record import StdioRecord
from pycri.io.table import ContainerTable
from pycri.streaming import attach, remote_session
from pycri.streaming.handler import session_handler
from pycri.streaming.server import StreamingServer
from pycri.streaming.sessions import AttachRequest, ExecRequest, PortForwardRequest
from tests.support.streaming_client import SpdyClient
from tests.unit.pycri.io.test_container import Shim
from tests.unit.pycri.io.test_exec import FakeTasks

EXEC = ExecRequest("c1", b"{}", tty=False, stdin=False, stdout=True, stderr=True)
ATTACH = AttachRequest("c1", tty=False, stdin=True, stdout=True, stderr=True)


class Tasks(FakeTasks):
    """Keeps what a session asked of a container."""

    def __init__(self, body: Any = lambda _: 0) -> None:
        super().__init__(body)
        self.sizes: list[tuple[int, int]] = []
        self.closed: list[str] = []

    async def resize_pty(self, container_id: str, width: int, height: int, exec_id: str = "") -> None:
        self.sizes.append((width, height))

    async def close_stdin(self, container_id: str, exec_id: str = "") -> None:
        self.closed.append(container_id)


class Node:
    def __init__(self, directory: Path) -> None:
        (directory / "exec").mkdir()
        self.tasks = Tasks()
        self.containers = ContainerTable(directory / "io")
        self.runner = ExecRunner(self.tasks, directory / "exec")  # type: ignore[arg-type]
        self.server = StreamingServer(session_handler(self.containers, self.runner, self.tasks))  # type: ignore[arg-type]

    async def connect(
        self, request: Any, *kinds: str, protocol: str = "v4.channel.k8s.io"
    ) -> tuple[SpdyClient, list[int]]:
        spdy = await SpdyClient.connect(self.server.prepare(request), protocol)
        streams = [spdy.open(streamType=kind) for kind in kinds]
        await spdy.until(lambda: spdy.replied >= set(streams))
        return spdy, streams


async def until(condition: Callable[[], object]) -> None:
    """For what only the other end of a socket tells: there is nothing to await."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about within 20 s")


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    await node.server.start("127.0.0.1", 0)
    yield node
    await node.server.stop()
    await node.runner.close(5)
    for container_id in node.containers.ids():
        node.containers.close(container_id)
    assert node.tasks.processes == {}
    assert list((tmp_path / "exec").iterdir()) == []


async def test_exec(node: Node) -> None:
    def body(ends: dict[str, int]) -> int:
        os.write(ends["stdout"], b"out")
        os.write(ends["stderr"], b"err")
        return 7

    node.tasks.body = body
    spdy, (error, stdout, stderr) = await node.connect(EXEC, "error", "stdout", "stderr")
    assert (await spdy.text(stdout), await spdy.text(stderr)) == (b"out", b"err")
    assert json.loads(await spdy.text(error))["details"]["causes"][0]["message"] == "7"
    await spdy.close()


async def test_exec_that_cannot_start(node: Node) -> None:
    missing = ExecRequest("missing", b"{}", tty=False, stdin=False, stdout=True, stderr=False)
    spdy, (error, _) = await node.connect(missing, "error", "stdout")
    assert "no running task" in json.loads(await spdy.text(error))["message"]
    await spdy.close()


async def test_streams_that_never_come(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Security row "exec/attach exhaustion": nothing is started, and the connection ends."""
    monkeypatch.setattr(remote_session, "STREAM_CREATION_SECONDS", 0.05)
    spdy, _ = await node.connect(EXEC, "error")
    await spdy.until(lambda: spdy.closed)
    assert not node.tasks.started.is_set()
    await spdy.close()


async def test_client_that_breaks_the_protocol(node: Node) -> None:
    node.tasks.body = lambda _: None
    spdy, _ = await node.connect(EXEC, "error", "stdout", "stderr")
    await node.tasks.started.wait()
    spdy._writer.write(b"\xff" * 100)
    await spdy.until(lambda: spdy.closed)
    await spdy.close()  # the fixture sees that the process is gone


async def test_client_that_leaves(node: Node) -> None:
    node.tasks.body = lambda _: None
    spdy, _ = await node.connect(EXEC, "error", "stdout", "stderr")
    await node.tasks.started.wait()
    await spdy.close()
    await until(lambda: not node.server.connections)


async def test_attach_and_stdin_once(node: Node) -> None:
    streams = node.containers.open(StdioRecord("c1", stdin=True, stdin_once=True))
    shim = Shim(streams)
    reader = os.open(streams.path("stdin"), os.O_RDONLY)
    spdy, (error, stdin, stdout, stderr) = await node.connect(ATTACH, "error", "stdin", "stdout", "stderr")
    spdy.send(stdin, b"typed", fin=True)
    assert await asyncio.to_thread(os.read, reader, 10) == b"typed"
    assert await asyncio.to_thread(os.read, reader, 10) == b""
    assert node.tasks.closed == ["c1"]
    shim.write("stdout", b"out")
    shim.write("stderr", b"err")
    shim.exit()
    assert (await spdy.text(stdout), await spdy.text(stderr)) == (b"out", b"err")
    assert json.loads(await spdy.text(error))["status"] == "Success"
    os.close(reader)
    await spdy.close()


async def test_attach_resizes_the_containers_terminal(node: Node) -> None:
    node.containers.open(StdioRecord("c1", tty=True))
    request = AttachRequest("c1", tty=True, stdin=False, stdout=True, stderr=False)
    spdy, (_, _, resize) = await node.connect(request, "error", "stdout", "resize")
    spdy.send(resize, b'{"Width":80,"Height":24}')
    await until(lambda: node.tasks.sizes)
    assert node.tasks.sizes == [(80, 24)]
    await spdy.close()


async def test_attach_to_what_has_gone(node: Node) -> None:
    spdy, (error, *_) = await node.connect(ATTACH, "error", "stdin", "stdout", "stderr")
    assert "no streams of container c1" in json.loads(await spdy.text(error))["message"]
    await spdy.close()
    streams = node.containers.open(StdioRecord("c1"))
    Shim(streams).exit()
    assert await streams.drain(5)
    spdy, (error, *_) = await node.connect(ATTACH, "error", "stdin", "stdout", "stderr")
    assert json.loads(await spdy.text(error))["status"] == "Success"
    await spdy.close()


async def test_slow_attached_client_gets_gaps_not_memory(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Security row "exec/attach exhaustion"."""
    monkeypatch.setattr(attach, "MAX_BACKLOG_BYTES", 100_000)
    streams = node.containers.open(StdioRecord("c1"))
    shim = Shim(streams)
    spdy, _ = await node.connect(ATTACH, "error", "stdin", "stdout", "stderr")
    spdy._task.cancel()
    spdy._writer.transport.pause_reading()  # type: ignore[attr-defined]
    (connection,) = node.server.connections
    assert connection._link is not None
    for _ in range(400):
        shim.write("stdout", b"x" * 65536)
        streams._pumps["stdout"].drain()
        assert connection._link.backlog <= 100_000 + 2 * 65536
    shim.exit()
    spdy._writer.transport.abort()
    await until(lambda: not node.server.connections)
    assert "too slow" in caplog.text
    await spdy.close()


async def test_port_forward_to_this_host(node: Node) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"you said " + await reader.read())
        writer.close()
        await writer.wait_closed()

    target = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = str(target.sockets[0].getsockname()[1])
    spdy = await SpdyClient.connect(
        node.server.prepare(PortForwardRequest("p", "", ())), "portforward.k8s.io"
    )
    error, data = (spdy.open(streamType=kind, port=port, requestID="0") for kind in ("error", "data"))
    spdy.send(data, b"hello", fin=True)
    assert (await spdy.text(data), await spdy.text(error)) == (b"you said hello", b"")
    await spdy.close()
    target.close()
    await target.wait_closed()
