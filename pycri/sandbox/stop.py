"""StopPodSandbox: containers, pause process, then network and the rest side by side."""

from __future__ import annotations

import asyncio
import dataclasses
import time

from pycri._generated import cri_pb2 as cri
from pycri.attempts import Attempts, together
from pycri.cni import Network, netns
from pycri.config import Config
from pycri.container.exit import ContainerExit
from pycri.container.stop import StopContainer
from pycri.sandbox import files
from pycri.sandbox.events import SandboxEvents
from pycri.sandbox.pause import Pause
from pycri.store import SandboxRecord, Store


class StopPodSandbox:
    """The verb. Idempotent: an unknown or stopped sandbox is success (CRI)."""

    def __init__(
        self,
        config: Config,
        store: Store,
        network: Network,
        pause: Pause,
        stop_container: StopContainer,
        container_exit: ContainerExit,
        events: SandboxEvents,
        attempts: Attempts,
    ) -> None:
        self._config = config
        self._store = store
        self._network = network
        self._pause = pause
        self._stop_container = stop_container
        self._container_exit = container_exit
        self._events = events
        self._attempts = attempts

    async def __call__(self, request: cri.StopPodSandboxRequest) -> cri.StopPodSandboxResponse:
        record = self._store.sandboxes.find(request.pod_sandbox_id)
        if record is not None:
            await self.stop(record)
        return cri.StopPodSandboxResponse()

    async def stop(self, record: SandboxRecord) -> None:
        """Stop; what could not be released stays on record, and the next call tries again."""
        await self._attempts.settled(("run", record.name))
        if (current := self._store.sandboxes.find(record.id)) is not None and not current.stopped:
            await self._attempts.join(("stop", record.id), lambda: self._stop(record.id))

    async def _stop(self, sandbox_id: str) -> None:
        record = self._store.sandboxes.get(sandbox_id)
        members = self._store.containers.of_sandbox(sandbox_id)
        await together(*(self._stop_container.stop(member, 0) for member in members))
        await self._pause.end(sandbox_id)
        # What containerd keeps of the pause container costs nobody anything: RemovePodSandbox waits for this.
        self._attempts.background(("clear", sandbox_id), lambda: self._clear(sandbox_id))
        # Not before nothing uses the address any more: DEL gives it to the next pod.
        await together(
            self._release_network(record),
            asyncio.to_thread(files.remove_mounts, self._config, sandbox_id),
        )
        if record.netns:
            netns.remove(record.netns)
        record = self._store.sandboxes.get(sandbox_id)
        stopped = dataclasses.replace(
            record,
            ready=False,
            stopped=True,
            network="",
            pid=0,
            exited_at=record.exited_at or time.time_ns(),
        )
        self._store.put_soon(stopped)  # a crash in between makes the next call do it all again
        if record.ready:  # not if the event of the exit came first
            self._events.stopped(stopped)

    async def cleared(self, sandbox_id: str) -> None:
        """Return when containerd has forgotten a stopped sandbox."""
        await self._attempts.settled(("clear", sandbox_id))
        record = self._store.sandboxes.find(sandbox_id)
        if record is not None and not record.cleared:
            await self._attempts.join(("clear", sandbox_id), lambda: self._clear(sandbox_id))

    async def _clear(self, sandbox_id: str) -> None:
        await self._container_exit.settled(sandbox_id)  # the pause task is the last to leave the shim
        await self._pause.clear(sandbox_id)
        record = self._store.sandboxes.find(sandbox_id)
        if record is not None:
            self._store.put_soon(dataclasses.replace(record, cleared=True))

    async def _release_network(self, record: SandboxRecord) -> None:
        if record.network:
            # After a reboot the namespace is gone; plugins are then given none and go by the container id.
            path = record.netns if netns.exists(record.netns) else ""
            await self._network.detach(record.network, record.result, record.id, path, record.config)
