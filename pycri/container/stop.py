"""StopContainer: ask, wait, kill, wait."""

from __future__ import annotations

import logging
import signal
import time

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.container.exit import ContainerExit
from pycri.containerd import Containerd
from pycri.monitor import Exit
from pycri.processes import Processes
from pycri.store import ContainerRecord, Store, records

log = logging.getLogger(__name__)

_KILL_TIMEOUT = 60.0


class StopContainer:
    """The verb. Idempotent: an unknown or ended container is success (CRI)."""

    def __init__(
        self, store: Store, containerd: Containerd, exits: ContainerExit, processes: Processes
    ) -> None:
        self._processes = processes
        self._store = store
        self._containerd = containerd
        self._exits = exits

    async def __call__(self, request: cri.StopContainerRequest) -> cri.StopContainerResponse:
        """Raises DeadlineExceeded: the process does not even die of SIGKILL (it is stuck in the kernel)."""
        record = self._store.containers.find(request.container_id)
        if record is not None:
            await self.stop(record, request.timeout)
        return cri.StopContainerResponse()

    async def stop(self, record: ContainerRecord, timeout: float) -> None:
        """Give the process ``timeout`` seconds after its stop signal; 0: kill at once."""
        if not self._runs(record):
            return
        if timeout > 0:
            await self._signal(record, record.stop_signal, everyone=False)
            if await self._exits.wait(record.id, timeout):
                return
            log.info("container %s ignored its stop signal for %g s: SIGKILL", record.id, timeout)
        await self._signal(record, signal.SIGKILL, everyone=True)
        if not await self._exits.wait(record.id, _KILL_TIMEOUT):
            raise errors.DeadlineExceeded(
                f"container {record.id} did not end within {_KILL_TIMEOUT:g} s of SIGKILL"
            )

    def _runs(self, record: ContainerRecord) -> bool:
        current = self._store.containers.find(record.id)
        return current is not None and current.state == records.RUNNING

    async def _signal(self, record: ContainerRecord, number: int, *, everyone: bool) -> None:
        # The first process of a PID namespace takes the others with it; elsewhere the runtime finds them all.
        alone = record.config.linux.security_context.namespace_options.pid == cri.CONTAINER
        if (alone or not everyone) and self._processes.signal(record.id, number):
            return
        try:
            await self._containerd.tasks.kill(record.id, number, all=everyone)
        except errors.NotFound:
            # Ended meanwhile: its event is on the way. If containerd has never heard of the task, none is.
            await self._settle(record)

    async def _settle(self, record: ContainerRecord) -> None:
        try:
            await self._containerd.tasks.get(record.id)
        except errors.NotFound:
            await self._exits(record, Exit(255, time.time_ns()))
