"""ExecSync, Exec and Attach: what runs in or reads from a running container goes through pycri-io."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.io.client import DataPlaneClient
from pycri.store import ContainerRecord, Store, records


class ExecSync:
    """The verb. Each stream is kept up to 16 MiB, the rest is discarded."""

    def __init__(self, store: Store, io: DataPlaneClient) -> None:
        self._store = store
        self._io = io

    async def __call__(self, request: cri.ExecSyncRequest) -> cri.ExecSyncResponse:
        """Raises NotFound, FailedPrecondition (not running), DeadlineExceeded (killed at the timeout)."""
        record = running(self._store, request.container_id)
        process = exec_process(record, request.cmd, tty=False)
        result = await self._io.exec_sync(record.id, process, timeout=max(request.timeout, 0))
        if result.timed_out:
            raise errors.DeadlineExceeded(
                f"command in container {record.id} timed out: timeout {request.timeout} s exceeded"
            )
        return cri.ExecSyncResponse(stdout=result.stdout, stderr=result.stderr, exit_code=result.exit_code)


class Exec:
    """The verb: prepares a streaming session and returns its URL."""

    def __init__(self, store: Store, io: DataPlaneClient) -> None:
        self._store = store
        self._io = io

    async def __call__(self, request: cri.ExecRequest) -> cri.ExecResponse:
        """Raises NotFound, FailedPrecondition (not running), InvalidArgument."""
        record = running(self._store, request.container_id)
        _check_streams(request)
        url = await self._io.prepare_exec(
            record.id,
            exec_process(record, request.cmd, tty=request.tty),
            tty=request.tty,
            stdin=request.stdin,
            stdout=request.stdout,
            stderr=request.stderr,
        )
        return cri.ExecResponse(url=url)


class Attach:
    """The verb: prepares a session on the container's own streams and returns its URL."""

    def __init__(self, store: Store, io: DataPlaneClient) -> None:
        self._store = store
        self._io = io

    async def __call__(self, request: cri.AttachRequest) -> cri.AttachResponse:
        """Raises NotFound, FailedPrecondition (not running), InvalidArgument."""
        record = running(self._store, request.container_id)
        _check_streams(request)
        url = await self._io.prepare_attach(
            record.id,
            tty=record.config.tty,
            stdin=request.stdin,
            stdout=request.stdout,
            stderr=request.stderr and not record.config.tty,
        )
        return cri.AttachResponse(url=url)


class ReopenContainerLog:
    """The verb: a fresh file at the log path, after the kubelet has renamed the old one."""

    def __init__(self, store: Store, io: DataPlaneClient) -> None:
        self._store = store
        self._io = io

    async def __call__(self, request: cri.ReopenContainerLogRequest) -> cri.ReopenContainerLogResponse:
        """Raises NotFound, FailedPrecondition (not running)."""
        await self._io.reopen_log(running(self._store, request.container_id).id)
        return cri.ReopenContainerLogResponse()


def running(store: Store, container_id: str) -> ContainerRecord:
    """The record of a running container. Raises NotFound, FailedPrecondition."""
    record = store.containers.get(container_id)
    if record.state != records.RUNNING:
        state = cri.ContainerState.Name(record.state)
        raise errors.FailedPrecondition(f"container {record.id} is not running, it is {state}")
    return record


def exec_process(record: ContainerRecord, command: Iterable[str], *, tty: bool) -> dict[str, Any]:
    """The container's own OCI process with another command. Raises InvalidArgument."""
    arguments = [*command]
    if not arguments or any("\0" in word for word in arguments):
        raise errors.InvalidArgument("a command to run is needed, without NUL bytes")
    process: dict[str, Any] = json.loads(record.process)
    process |= {"args": arguments, "terminal": tty}
    if tty and not any(setting.startswith("TERM=") for setting in process["env"]):
        process["env"] = [*process["env"], "TERM=xterm"]
    return process


def _check_streams(request: cri.ExecRequest | cri.AttachRequest) -> None:
    if not (request.stdin or request.stdout or request.stderr):
        raise errors.InvalidArgument("one of stdin, stdout and stderr must be asked for")
    if request.tty and request.stderr:
        raise errors.InvalidArgument("with a tty there is no stderr of its own: ask for stdout only")
