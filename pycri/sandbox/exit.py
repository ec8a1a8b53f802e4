"""A pause process ended: the sandbox is not ready any more."""

from __future__ import annotations

import asyncio

from pycri.monitor import Exit
from pycri.sandbox.events import SandboxEvents
from pycri.sandbox.pause import Pause
from pycri.store import SandboxRecord, Store


class SandboxExit:
    """Records the end, whoever caused it; releasing the network is StopPodSandbox's."""

    def __init__(self, store: Store, pause: Pause, events: SandboxEvents) -> None:
        self._store = store
        self._pause = pause
        self._events = events

    async def __call__(self, record: SandboxRecord, ended: Exit) -> None:
        if not record.created:
            return  # RunPodSandbox is at it, and sees for itself
        _, changed = await asyncio.gather(
            self._pause.delete_task(record.id),
            self._store.update_sandbox(record.id, ready=False, exited_at=ended.finished_at, pid=0),
        )
        if changed is not None and record.ready:
            self._events.stopped(changed)
