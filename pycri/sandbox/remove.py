"""RemovePodSandbox."""

from __future__ import annotations

from pycri._generated import cri_pb2 as cri
from pycri.attempts import Attempts, together
from pycri.config import Config
from pycri.container.remove import RemoveContainer
from pycri.sandbox import files
from pycri.sandbox.events import SandboxEvents
from pycri.sandbox.stop import StopPodSandbox
from pycri.store import SandboxRecord, Store


class RemovePodSandbox:
    """The verb. Idempotent; what still runs is stopped first (CRI)."""

    def __init__(
        self,
        config: Config,
        store: Store,
        stop: StopPodSandbox,
        remove_container: RemoveContainer,
        events: SandboxEvents,
        attempts: Attempts,
    ) -> None:
        self._config = config
        self._store = store
        self._stop = stop
        self._remove_container = remove_container
        self._events = events
        self._attempts = attempts

    async def __call__(self, request: cri.RemovePodSandboxRequest) -> cri.RemovePodSandboxResponse:
        record = self._store.sandboxes.find(request.pod_sandbox_id)
        if record is not None:
            await self._attempts.join(("remove", record.id), lambda: self._remove(record))
        return cri.RemovePodSandboxResponse()

    async def _remove(self, record: SandboxRecord) -> None:
        await self._stop.stop(record)
        members = self._store.containers.of_sandbox(record.id)
        await together(
            self._stop.cleared(record.id), *(self._remove_container.remove(member) for member in members)
        )
        files.remove(self._config, record.id)
        await self._store.drop(record)  # committed: what was said to be gone does not come back after a crash
        self._events.deleted(record)
