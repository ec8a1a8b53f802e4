"""pycri-io: the process that owns every container's standard streams."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import grpc

from pycri.config import Config
from pycri.containerd.client import Containerd
from pycri.errors import AlreadyExists
from pycri.io.exec_process import ExecRunner
from pycri.io.notify import notify, take_stored_fds
from pycri.io.rpc import MAX_MESSAGE_BYTES, server_handler
from pycri.io.service import DataPlane
from pycri.io.table import ContainerTable
from pycri.streaming.handler import session_handler
from pycri.streaming.server import StreamingServer

log = logging.getLogger(__name__)

# An ExecSync under way may end by itself on SIGTERM; the containers' output waits in the pipes meanwhile.
_GRACE_SECONDS = 2.0


async def main(config: Config) -> None:
    """Serves until SIGTERM or SIGINT; then no line that a container wrote is lost.

    Raises AlreadyExists when another pycri-io serves the same run directory.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve(config):
        notify("READY=1")
        await stop.wait()
        notify("STOPPING=1")


@asynccontextmanager
async def serve(config: Config) -> AsyncIterator[None]:
    """The daemon without its signals: listens on ``config.io_socket`` while the block runs."""
    run = Path(config.run)
    run.mkdir(mode=0o755, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(_only_one(run / "io.lock"))
        containers = ContainerTable(run / "io")
        stack.callback(containers.suspend)
        taken = containers.recover(take_stored_fds())
        containerd = await stack.enter_async_context(
            Containerd(config.containerd.address, config.containerd.namespace)
        )
        execs = ExecRunner(containerd.tasks, run / "exec")
        stack.push_async_callback(execs.close, _GRACE_SECONDS)
        leftovers = execs.recover()
        streaming = StreamingServer(session_handler(containers, execs, containerd.tasks))
        await streaming.start(config.streaming.address, config.streaming.port)
        stack.push_async_callback(streaming.stop)
        server = _server(DataPlane(containers, execs, streaming.prepare), Path(config.io_socket))
        await server.start()
        stack.push_async_callback(server.stop, _GRACE_SECONDS)
        log.info(
            "pycri-io serves %s; %d containers taken up, %d leftover execs removed",
            config.io_socket,
            taken,
            leftovers,
        )
        yield


def _server(service: DataPlane, socket: Path) -> grpc.aio.Server:
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        )
    )
    server.add_generic_rpc_handlers((server_handler(service.guard),))
    # gRPC binds in this call, so the socket is never open to others, not even for a moment
    before = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{socket}")
    finally:
        os.umask(before)
    return server


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Two processes on the same FIFOs would each get half of the output."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyExists(f"another pycri-io serves {path.parent}; stop it first") from None
        yield
