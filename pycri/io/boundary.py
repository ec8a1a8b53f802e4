"""The part of pycri-io that speaks gRPC and HTTP: most of its modules, and most of its start-up time."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc

from pycri.config import Config
from pycri.containerd.client import Containerd
from pycri.io.exec_process import ExecRunner
from pycri.io.rpc import MAX_MESSAGE_BYTES, server_handler
from pycri.io.service import DataPlane
from pycri.io.table import ContainerTable
from pycri.streaming.handler import session_handler
from pycri.streaming.server import StreamingServer

log = logging.getLogger(__name__)

# An ExecSync under way may end by itself on SIGTERM; the containers' output waits in the pipes meanwhile.
_GRACE_SECONDS = 2.0


@asynccontextmanager
async def serve_boundary(config: Config, containers: ContainerTable) -> AsyncIterator[None]:
    """Listens on ``config.io_socket`` and on the streaming address while the block runs.

    Raises OSError when the streaming address cannot be listened on.
    """
    async with AsyncExitStack() as stack:
        containerd = await stack.enter_async_context(
            Containerd(config.containerd.address, config.containerd.namespace)
        )
        execs = ExecRunner(containerd.tasks, Path(config.run) / "exec")
        stack.push_async_callback(execs.close, _GRACE_SECONDS)
        leftovers = execs.recover()
        streaming = StreamingServer(session_handler(containers, execs, containerd.tasks))
        await streaming.start(config.streaming.address, config.streaming.port)
        stack.push_async_callback(streaming.stop)
        server = _server(DataPlane(containers, execs, streaming.prepare), Path(config.io_socket))
        await server.start()
        stack.push_async_callback(server.stop, _GRACE_SECONDS)
        log.info("pycri-io serves %s; leftover execs being removed: %d", config.io_socket, leftovers)
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
