"""The client against a small gRPC server in this process: headers, leases, statuses, streams."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from pycri import errors
from pycri._generated import (
    containerd_containers_pb2,
    containerd_content_pb2,
    containerd_tasks_pb2,
    containerd_version_pb2,
)
from pycri.containerd import Containerd, current_lease

PACKAGE = Path(__file__).parents[4] / "pycri" / "containerd"


class Server(grpc.GenericRpcHandler):
    """Answers every unary method with ``reply`` or refuses with ``status``; keeps what it was sent."""

    def __init__(self) -> None:
        self.reply = b""
        self.status: grpc.StatusCode | None = None
        self.calls: list[tuple[str, dict[str, str]]] = []

    def service(self, details: Any) -> Any:
        headers = dict(details.invocation_metadata)

        async def unary(request: bytes, context: Any) -> bytes:
            self.calls.append((details.method, headers))
            if self.status is not None:
                await context.abort(self.status, "no such thing")
            return self.reply

        async def write(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            async for raw in requests:
                request = containerd_content_pb2.WriteContentRequest.FromString(raw)
                if request.action == containerd_content_pb2.COMMIT:
                    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "unexpected digest")
                yield containerd_content_pb2.WriteContentResponse(offset=0).SerializeToString()

        if details.method.endswith("/Write"):
            return grpc.stream_stream_rpc_method_handler(write)
        return grpc.unary_unary_rpc_method_handler(unary)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    handler = Server()
    listening = grpc.aio.server()
    listening.add_generic_rpc_handlers((handler,))
    listening.add_insecure_port(f"unix:{tmp_path}/s.sock")
    await listening.start()
    yield handler
    await listening.stop(None)


@pytest.fixture
async def client(server: Server, tmp_path: Path) -> AsyncIterator[Containerd]:
    async with Containerd(tmp_path / "s.sock", "my-ns") as made:
        yield made


async def test_calls_carry_namespace_and_the_current_lease(server: Server, client: Containerd) -> None:
    await client.version.get()
    with current_lease("outer"):
        await client.version.get()
        inside = asyncio.create_task(client.version.get())
    await inside
    await client.version.get()
    headers = [(call["containerd-namespace"], call.get("containerd-lease")) for _, call in server.calls]
    assert headers == [("my-ns", None), ("my-ns", "outer"), ("my-ns", "outer"), ("my-ns", None)]
    assert server.calls[0][0] == "/containerd.services.version.v1.Version/Version"


@pytest.mark.parametrize("kind", errors.PycriError.__subclasses__())
async def test_every_status_is_the_error_of_the_same_name(
    kind: type[errors.PycriError], server: Server, client: Containerd
) -> None:
    server.status = getattr(grpc.StatusCode, kind.code)
    with pytest.raises(errors.PycriError) as caught:
        await client.tasks.start("x")
    assert type(caught.value) is kind
    assert str(caught.value) == "no such thing"
    assert caught.value.__suppress_context__  # no gRPC in tracebacks of the callers


async def test_statuses_without_an_error_of_ours_are_unknown(server: Server, client: Containerd) -> None:
    server.status = grpc.StatusCode.DATA_LOSS
    with pytest.raises(errors.Unknown):
        await client.version.get()


async def test_replies_are_unwrapped(server: Server, client: Containerd) -> None:
    server.reply = containerd_tasks_pb2.StartResponse(pid=42).SerializeToString()
    assert await client.tasks.start("x", "exec") == 42
    container = containerd_containers_pb2.Container(id="c")
    server.reply = containerd_containers_pb2.GetContainerResponse(container=container).SerializeToString()
    assert await client.containers.get("c") == container
    server.reply = containerd_version_pb2.VersionResponse(version="1").SerializeToString()
    assert (await client.version.get()).version == "1"


async def test_writer_reports_the_status_of_its_stream(client: Containerd) -> None:
    async with client.content.writer("ref", total=3, expected="sha256:0") as writer:
        await writer.write(b"abc")
        with pytest.raises(errors.FailedPrecondition, match="unexpected digest"):
            await writer.commit()
        with pytest.raises(errors.FailedPrecondition, match="unexpected digest"):
            await writer.write(b"more")


def test_no_other_package_sees_grpc_errors_of_containerd() -> None:
    """The rule of this package, held by looking: only servers, and ctl for the CRI, import grpc too."""
    allowed = ("containerd", "server", "io", "ctl", "_generated")
    offenders = []
    for path in PACKAGE.parent.rglob("*.py"):
        relative = path.relative_to(PACKAGE.parent)
        if relative.parts[0] in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            offenders += [f"{relative}:{node.lineno}" for name in names if name.split(".")[0] == "grpc"]
    assert offenders == []


async def test_a_busy_containerd_has_time_to_greet(server: Server, tmp_path: Path) -> None:
    """A new connection waits for the server's first frame, also when that takes longer than a back-off."""

    async def greet_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        behind, ahead = await asyncio.open_unix_connection(tmp_path / "s.sock")
        await asyncio.gather(_pass_on(reader, ahead), _pass_on(behind, writer))

    busy = tmp_path / "busy.sock"
    async with await asyncio.start_unix_server(greet_late, busy), Containerd(busy, "ns") as client:
        await client.version.get()
        assert len(server.calls) == 1


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
    await writer.wait_closed()
