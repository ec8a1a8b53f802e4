"""StartContainer: streams, task, start, in the shim of the container's pod."""

from __future__ import annotations

import dataclasses
import json
import logging
import time

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.attempts import Attempts, Locks, ignore_missing, together
from pycri.config import Config
from pycri.container.events import ContainerEvents
from pycri.container.spec import selinux
from pycri.containerd import Containerd
from pycri.handlers import Handlers
from pycri.io.client import DataPlaneClient
from pycri.processes import Processes
from pycri.store import ContainerRecord, Store, records

log = logging.getLogger(__name__)

# What a container reports that never got to run; the kubelet shows the message to the user.
START_ERROR_CODE, START_ERROR_REASON = 128, "StartError"


class StartContainer:
    """The verb. A retry joins the attempt under way; starting twice is success."""

    def __init__(
        self,
        config: Config,
        store: Store,
        containerd: Containerd,
        io: DataPlaneClient,
        events: ContainerEvents,
        attempts: Attempts,
        locks: Locks,
        processes: Processes,
        handlers: Handlers,
    ) -> None:
        self._handlers = handlers
        self._processes = processes
        self._snapshotter = config.containerd.snapshotter
        self._store = store
        self._containerd = containerd
        self._io = io
        self._events = events
        self._attempts = attempts
        self._locks = locks

    async def __call__(self, request: cri.StartContainerRequest) -> cri.StartContainerResponse:
        """Raises NotFound, FailedPrecondition (not in state created), and what the runtime reports."""
        record = self._store.containers.get(request.container_id)
        await self._attempts.join(("start", record.id), lambda: self._start(record.id))
        return cri.StartContainerResponse()

    async def _start(self, container_id: str) -> None:
        # The exit of a short-lived container waits on this lock until the start is on record.
        async with self._locks.hold(container_id):
            record = self._check(container_id)
            try:
                pid, begun = await self._run(record)
            except (errors.PycriError, OSError) as error:
                await self._failed(record, error)
                raise
            started = dataclasses.replace(record, state=records.RUNNING, started_at=begun, pid=pid)
            # not waited for: should pycri die now, recovery finds the task, running or ended (recover.py)
            self._store.put_soon(started)
        self._events.started(started)

    def _check(self, container_id: str) -> ContainerRecord:
        record = self._store.containers.get(container_id)
        if record.state != records.CREATED or record.removing:
            state = cri.ContainerState.Name(record.state)
            raise errors.FailedPrecondition(
                f"container {container_id} is {state}, only a created one can start"
            )
        sandbox = self._store.sandboxes.find(record.sandbox_id)
        if sandbox is None or not sandbox.ready:
            raise errors.FailedPrecondition(f"sandbox {record.sandbox_id} of {container_id} is not ready")
        return record

    async def _run(self, record: ContainerRecord) -> tuple[int, int]:
        config = record.config
        sandbox = self._store.sandboxes.get(record.sandbox_id)
        stdio, mounts = await together(
            self._io.open(
                record.id,
                log_path=record.log_path,
                log_directory=sandbox.config.log_directory if record.log_path else "",
                tty=config.tty,
                stdin=config.stdin,
                stdin_once=config.stdin_once,
            ),
            self._containerd.snapshots.mounts(self._snapshotter, record.id),
        )
        label = json.loads(record.process).get("selinuxLabel", "") if selinux.enabled() else ""
        pid = await self._containerd.tasks.create(
            record.id,
            rootfs=selinux.labelled(mounts, selinux.file_label(label)),
            stdin=stdio.stdin,
            stdout=stdio.stdout,
            stderr=stdio.stderr,
            terminal=config.tty,
        )
        if self._handlers.get(sandbox.handler).runs_on_host:
            self._processes.watch(record.id, pid)
        begun = time.time_ns()  # before: a short-lived process may have ended when the call returns
        await self._containerd.tasks.start(record.id)
        return pid, begun

    async def _failed(self, record: ContainerRecord, error: Exception) -> None:
        log.warning("container %s did not start: %s", record.id, error)
        self._processes.forget(record.id)
        try:
            await together(
                ignore_missing(self._containerd.tasks.delete(record.id)), self._io.close(record.id)
            )
        except errors.PycriError as left:
            log.warning("after the failed start of %s: %s", record.id, left)
        now = time.time_ns()
        await self._store.update_container(
            record.id,
            state=records.EXITED,
            started_at=now,
            finished_at=now,
            exit_code=START_ERROR_CODE,
            reason=START_ERROR_REASON,
            message=str(error),
        )
