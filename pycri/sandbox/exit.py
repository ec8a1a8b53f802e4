"""A pause process ended: the sandbox is not ready any more."""

from __future__ import annotations

import dataclasses

from pycri.container.exit import ContainerExit
from pycri.monitor import Exit
from pycri.sandbox.events import SandboxEvents
from pycri.sandbox.pause import Pause
from pycri.store import SandboxRecord, Store


class SandboxExit:
    """Records the end, whoever caused it; releasing the network is StopPodSandbox's."""

    def __init__(
        self, store: Store, pause: Pause, container_exit: ContainerExit, events: SandboxEvents
    ) -> None:
        self._container_exit = container_exit
        self._store = store
        self._pause = pause
        self._events = events

    async def __call__(self, record: SandboxRecord, ended: Exit) -> None:
        if not record.created:
            return  # RunPodSandbox is at it, and sees for itself
        changed = dataclasses.replace(record, ready=False, exited_at=ended.finished_at, pid=0)
        self._store.put_soon(changed)
        if record.ready:
            self._events.stopped(changed)
        await self._container_exit.settled(record.id)  # the pause task is the last to leave the shim
        await self._pause.delete_task(record.id)
