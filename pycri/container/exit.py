"""A container's process ended: drain its log, delete the task, then say so."""

from __future__ import annotations

import asyncio
import logging

from pycri import cgroups, errors
from pycri.attempts import Locks, ignore_missing
from pycri.container.events import ContainerEvents
from pycri.containerd import Containerd
from pycri.io.client import DataPlaneClient
from pycri.monitor import Exit
from pycri.processes import Processes
from pycri.store import ContainerRecord, Store, records

log = logging.getLogger(__name__)

# A process that outlives the container's first one may hold its output open for ever.
_DRAIN_TIMEOUT = 5.0
_KILLED = 128 + 9


class ContainerExit:
    """Records ends, and lets StopContainer wait for them."""

    def __init__(
        self,
        store: Store,
        containerd: Containerd,
        io: DataPlaneClient,
        events: ContainerEvents,
        locks: Locks,
        processes: Processes,
    ) -> None:
        self._processes = processes
        self._store = store
        self._containerd = containerd
        self._io = io
        self._events = events
        self._locks = locks
        self._ended: dict[str, asyncio.Event] = {}
        self._oom: set[str] = set()

    def oom(self, container_id: str) -> None:
        """The kernel killed something in the container for memory."""
        if self._store.containers.find(container_id) is not None:
            self._oom.add(container_id)

    async def __call__(self, record: ContainerRecord, ended: Exit) -> None:
        """The exit is published only when the log is complete: short jobs would lose their last lines."""
        async with self._locks.hold(record.id):
            current = self._store.containers.find(record.id)
            if current is None or current.state != records.RUNNING:
                return
            self._processes.forget(record.id)
            await self._drain(record.id)
            # On disk before containerd forgets it: the exit code is nowhere else then.
            changed = await self._store.update_container(record.id, **self._outcome(record, ended))
            event = self._ended.pop(record.id, None)
            if event is not None:
                event.set()
            if changed is not None:
                self._events.stopped(changed)
            # also when containerd itself knows no more of it: its shim forgets the task only on this call
            await self._delete_task(record.id)

    async def _delete_task(self, container_id: str) -> None:
        try:
            await ignore_missing(self._containerd.tasks.delete(container_id))
        except errors.PycriError as error:
            log.warning("the task of %s was not deleted: %s", container_id, error)

    async def wait(self, container_id: str, timeout: float | None) -> bool:
        """Whether the container ended within ``timeout`` seconds."""
        record = self._store.containers.find(container_id)
        if record is None or record.state != records.RUNNING:
            return True
        event = self._ended.setdefault(container_id, asyncio.Event())
        try:
            await asyncio.wait_for(event.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    async def settled(self, sandbox_id: str) -> None:
        """Return when no exit of the sandbox's containers is being handled: their tasks are deleted."""
        for record in self._store.containers.of_sandbox(sandbox_id):
            async with self._locks.hold(record.id):
                pass

    async def _drain(self, container_id: str) -> None:
        try:
            if not await self._io.drain(container_id, _DRAIN_TIMEOUT):
                log.warning(
                    "output of %s is still held open %g s after its end", container_id, _DRAIN_TIMEOUT
                )
            await self._io.close(container_id)
        except errors.PycriError as error:
            log.error("the log of %s may lack its end: %s", container_id, error)

    def _outcome(self, record: ContainerRecord, ended: Exit) -> dict[str, object]:
        # The event may come after the exit, or be lost; the cgroup may be gone (systemd) before we look.
        oom = record.id in self._oom or (ended.exit_code == _KILLED and cgroups.oom_kills(record.cgroup) > 0)
        self._oom.discard(record.id)
        reason = "OOMKilled" if oom else "Completed" if ended.exit_code == 0 else "Error"
        return {
            "state": records.EXITED,
            "finished_at": ended.finished_at,
            "exit_code": ended.exit_code,
            "reason": reason,
            "oom_killed": oom,
            "pid": 0,
        }
