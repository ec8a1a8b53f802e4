"""The DataPlane service: one method per RPC, each a few lines."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from pycri._generated import io_pb2 as pb
from pycri.errors import Internal, InvalidArgument, PycriError, Unimplemented
from pycri.io.exec_process import ExecRunner
from pycri.io.exec_sync import exec_sync
from pycri.io.record import StdioRecord
from pycri.io.table import ContainerTable
from pycri.streaming.sessions import AttachRequest, ExecRequest, PortForwardRequest, SessionRequest
from pycri.version import __version__

log = logging.getLogger(__name__)

MAX_EXEC_OUTPUT_BYTES = 16 << 20
FEATURES = ("logs", "exec-sync", "exec", "attach", "port-forward")


class DataPlane:
    """What the control process may ask; ``guard`` puts a method on the wire."""

    def __init__(
        self, containers: ContainerTable, execs: ExecRunner, prepare: Callable[[SessionRequest], str]
    ) -> None:
        """``prepare`` registers a streaming session and gives its URL."""
        self._containers = containers
        self._execs = execs
        self._prepare = prepare

    async def hello(self, request: pb.HelloRequest) -> pb.HelloResponse:
        if request.version != __version__:
            log.info("pycri is %s, pycri-io %s", request.version, __version__)
        return pb.HelloResponse(version=__version__, features=list(FEATURES), pid=os.getpid())

    async def open_container(self, request: pb.OpenContainerRequest) -> pb.OpenContainerResponse:
        streams = self._containers.open(
            StdioRecord(
                id=request.id,
                log_path=request.log_path,
                log_directory=request.log_directory,
                tty=request.tty,
                stdin=request.stdin,
                stdin_once=request.stdin_once,
            )
        )
        return pb.OpenContainerResponse(
            stdin=streams.path("stdin"), stdout=streams.path("stdout"), stderr=streams.path("stderr")
        )

    async def drain_container(self, request: pb.DrainContainerRequest) -> pb.DrainContainerResponse:
        streams = self._containers.find(request.id)
        drained = streams is None or await streams.drain(max(request.timeout_ms, 0) / 1000)
        return pb.DrainContainerResponse(drained=drained)

    async def close_container(self, request: pb.CloseContainerRequest) -> pb.CloseContainerResponse:
        self._containers.close(request.id)
        return pb.CloseContainerResponse()

    async def reopen_container_log(
        self, request: pb.ReopenContainerLogRequest
    ) -> pb.ReopenContainerLogResponse:
        self._containers.get(request.id).reopen_log()
        return pb.ReopenContainerLogResponse()

    async def exec_sync(self, request: pb.ExecSyncRequest) -> pb.ExecSyncResponse:
        if not request.container_id or not request.process_spec:
            raise InvalidArgument("ExecSync needs a container id and a process")
        limit = min(request.max_output_bytes or MAX_EXEC_OUTPUT_BYTES, MAX_EXEC_OUTPUT_BYTES)
        result = await exec_sync(
            self._execs,
            request.container_id,
            request.process_spec,
            timeout=request.timeout_ms / 1000,
            max_output_bytes=limit,
        )
        return pb.ExecSyncResponse(
            stdout=result.stdout,
            stderr=result.stderr,
            exit_code=result.exit_code,
            timed_out=result.timed_out,
        )

    async def prepare_exec(self, request: pb.PrepareExecRequest) -> pb.StreamUrl:
        session = ExecRequest(
            container_id=request.container_id,
            process_spec=request.process_spec,
            tty=request.tty,
            stdin=request.stdin,
            stdout=request.stdout,
            stderr=request.stderr,
        )
        return pb.StreamUrl(url=self._prepare(session))

    async def prepare_attach(self, request: pb.PrepareAttachRequest) -> pb.StreamUrl:
        self._containers.get(request.container_id)
        session = AttachRequest(
            container_id=request.container_id,
            tty=request.tty,
            stdin=request.stdin,
            stdout=request.stdout,
            stderr=request.stderr,
        )
        return pb.StreamUrl(url=self._prepare(session))

    async def prepare_port_forward(self, request: pb.PreparePortForwardRequest) -> pb.StreamUrl:
        ports = tuple(request.ports)
        if not all(0 < port < 1 << 16 for port in ports):
            raise InvalidArgument(f"ports {list(ports)} must be from 1 to 65535")
        session = PortForwardRequest(request.sandbox_id, request.netns_path, ports)
        return pb.StreamUrl(url=self._prepare(session))

    async def list_containers(self, _: pb.ListContainersRequest) -> pb.ListContainersResponse:
        return pb.ListContainersResponse(ids=self._containers.ids())

    def guard(self, name: str) -> Callable[..., Awaitable[Any]]:
        """The method ``name`` with its errors turned into gRPC statuses."""
        method: Callable[[Any], Awaitable[Any]] | None = getattr(self, name, None)

        async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
            try:
                if method is None:
                    raise Unimplemented(f"pycri-io {__version__} does not have {name}")
                return await method(request)
            except PycriError as error:
                await context.abort(grpc.StatusCode[error.code], error.message)
            except OSError as error:
                message = f"{name} in pycri-io: {error}"
                log.exception(message)
                await context.abort(grpc.StatusCode[Internal.code], message)

        return call
