"""The control process's typed client of pycri-io.

Every method raises the errors of ``pycri.errors``. While pycri-io restarts, calls wait up to ``patience``
seconds for it; a call that may be repeated without harm is then sent again, ExecSync is not (the process
may already have run).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from pycri import errors
from pycri._generated import io_pb2
from pycri.io.rpc import MAX_MESSAGE_BYTES, client_callables
from pycri.version import __version__

DEFAULT_MAX_OUTPUT_BYTES = 16 << 20

_ERRORS = {error.code: error for error in errors.PycriError.__subclasses__()}

# A restart of pycri-io takes a fraction of a second; gRPC's own back-off would wait up to two minutes.
_CHANNEL_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    ("grpc.initial_reconnect_backoff_ms", 20),
    # despite its name: how long one attempt may take
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class Stdio:
    """FIFO paths for Tasks.Create; an empty one is not connected."""

    stdin: str
    stdout: str
    stderr: str


@dataclass(frozen=True)
class ExecResult:
    stdout: bytes
    stderr: bytes
    exit_code: int
    timed_out: bool


class DataPlaneClient:
    """One connection to pycri-io, shared by all requests."""

    def __init__(self, socket: str | Path, *, patience: float = 30.0) -> None:
        """``socket``: path of io.sock; ``patience``: seconds to wait for a pycri-io that does not answer."""
        self._socket = str(socket)
        self._patience = patience
        self._channel = grpc.aio.insecure_channel(f"unix:{self._socket}", options=_CHANNEL_OPTIONS)
        self._calls = dict(client_callables(self._channel))

    async def __aenter__(self) -> DataPlaneClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._channel.close()

    async def hello(self, patience: float | None = None) -> io_pb2.HelloResponse:
        """Who answers. Raises Unavailable when nobody does within ``patience`` seconds."""
        request = io_pb2.HelloRequest(version=__version__)
        response: io_pb2.HelloResponse = await self._repeat("hello", request, patience=patience)
        return response

    async def open(
        self,
        container_id: str,
        *,
        log_path: str = "",
        log_directory: str = "",
        tty: bool = False,
        stdin: bool = False,
        stdin_once: bool = False,
    ) -> Stdio:
        """Makes the container's FIFOs and starts to copy. Idempotent. InvalidArgument: a bad log path."""
        request = io_pb2.OpenContainerRequest(
            id=container_id,
            log_path=log_path,
            log_directory=log_directory,
            tty=tty,
            stdin=stdin,
            stdin_once=stdin_once,
        )
        response = await self._repeat("open_container", request)
        return Stdio(response.stdin, response.stdout, response.stderr)

    async def drain(self, container_id: str, timeout: float) -> bool:
        """Waits up to ``timeout`` seconds until all output of a task that has exited is in its log.

        False: a writer was still connected when the time was up. An unknown container is drained.
        """
        request = io_pb2.DrainContainerRequest(id=container_id, timeout_ms=round(timeout * 1000))
        response = await self._repeat("drain_container", request, extra=timeout)
        return bool(response.drained)

    async def close(self, container_id: str) -> None:
        """Ends the container's streams and sessions, removes its FIFOs. An unknown container is success."""
        await self._repeat("close_container", io_pb2.CloseContainerRequest(id=container_id))

    async def reopen_log(self, container_id: str) -> None:
        """Switches to a fresh file at the log path. NotFound: no such container is open."""
        await self._repeat("reopen_container_log", io_pb2.ReopenContainerLogRequest(id=container_id))

    async def exec_sync(
        self,
        container_id: str,
        process_spec: bytes | Mapping[str, Any],
        *,
        timeout: float = 0.0,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
    ) -> ExecResult:
        """Runs an OCI process in a running container; ``timeout`` in seconds, 0 for none.

        A process over its time is killed and ``timed_out`` is set: the CRI wants DeadlineExceeded then.
        """
        request = io_pb2.ExecSyncRequest(
            container_id=container_id,
            process_spec=_spec_bytes(process_spec),
            timeout_ms=round(timeout * 1000),
            max_output_bytes=max_output_bytes,
        )
        # pycri-io ends the call itself; the margin covers kill, drain and delete.
        limit = timeout + self._patience + 30.0 if timeout > 0 else None
        await self._connected()
        response = await self._once("exec_sync", request, limit)
        return ExecResult(response.stdout, response.stderr, response.exit_code, response.timed_out)

    async def prepare_exec(
        self,
        container_id: str,
        process_spec: bytes | Mapping[str, Any],
        *,
        tty: bool,
        stdin: bool,
        stdout: bool,
        stderr: bool,
    ) -> str:
        """Registers an exec session and returns its one-use URL. ResourceExhausted: too many are waiting."""
        request = io_pb2.PrepareExecRequest(
            container_id=container_id,
            process_spec=_spec_bytes(process_spec),
            tty=tty,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        return str((await self._repeat("prepare_exec", request)).url)

    async def prepare_attach(
        self, container_id: str, *, tty: bool, stdin: bool, stdout: bool, stderr: bool
    ) -> str:
        """As prepare_exec, for the container's own streams. NotFound: its streams are not open."""
        request = io_pb2.PrepareAttachRequest(
            container_id=container_id, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr
        )
        return str((await self._repeat("prepare_attach", request)).url)

    async def prepare_port_forward(self, sandbox_id: str, netns_path: str, ports: Iterable[int] = ()) -> str:
        """As prepare_exec, for a pod's network namespace; an empty path is the host's."""
        request = io_pb2.PreparePortForwardRequest(
            sandbox_id=sandbox_id, netns_path=netns_path, ports=list(ports)
        )
        return str((await self._repeat("prepare_port_forward", request)).url)

    async def list_containers(self) -> list[str]:
        """Ids of the containers whose streams pycri-io holds."""
        return list((await self._repeat("list_containers", io_pb2.ListContainersRequest())).ids)

    async def _repeat(
        self, name: str, request: Any, *, patience: float | None = None, extra: float = 0.0
    ) -> Any:
        """One call that does no harm when it is sent twice; repeated until the patience is used up."""
        deadline = time.monotonic() + (self._patience if patience is None else patience) + extra
        while True:
            remaining = max(deadline - time.monotonic(), 0.0)
            try:
                return await self._once(name, request, remaining)
            except errors.Unavailable:
                if time.monotonic() + 0.05 >= deadline:
                    raise
                await asyncio.sleep(0.05)

    async def _connected(self) -> None:
        """For a call that has no time limit of its own: the wait for pycri-io has one."""
        try:
            await asyncio.wait_for(self._channel.channel_ready(), self._patience)
        except asyncio.TimeoutError:
            raise self._silent("exec_sync", self._patience, "it does not listen") from None

    async def _once(self, name: str, request: Any, limit: float | None) -> Any:
        try:
            return await self._calls[name](request, timeout=limit, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise self._translate(name, error, limit) from None

    def _translate(self, name: str, error: grpc.aio.AioRpcError, limit: float | None) -> errors.PycriError:
        code, details = error.code().name, error.details() or error.code().name
        if code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            return self._silent(name, limit, details)
        return _ERRORS.get(code, errors.Unknown)(details)

    def _silent(self, name: str, limit: float | None, details: str) -> errors.Unavailable:
        waited = "" if limit is None else f" within {limit:.1f} s"
        return errors.Unavailable(
            f"pycri-io did not answer {name} on {self._socket}{waited}: {details}. "
            "Check that pycri-io.service runs: systemctl status pycri-io"
        )


def _spec_bytes(process_spec: bytes | Mapping[str, Any]) -> bytes:
    return process_spec if isinstance(process_spec, bytes) else json.dumps(process_spec).encode()
