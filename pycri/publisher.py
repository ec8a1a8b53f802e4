"""Container events to the kubelet's event streams (CRI GetContainerEvents)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from pycri._generated import cri_pb2 as cri

log = logging.getLogger(__name__)

_MAX_WAITING = 4096


class Publisher:
    """Every subscriber gets every event; one that does not read is cut off rather than kept in memory."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[cri.ContainerEventResponse | None]] = set()

    @property
    def wanted(self) -> bool:
        """Whether anybody listens: an event is worth building."""
        return bool(self._queues)

    def publish(self, event: cri.ContainerEventResponse) -> None:
        for queue in list(self._queues):
            if queue.qsize() >= _MAX_WAITING:
                log.warning("a reader of container events is %d behind: cut off", _MAX_WAITING)
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def close(self) -> None:
        """End every stream: the daemon stops, and readers would keep it from it."""
        for queue in list(self._queues):
            queue.put_nowait(None)

    async def stream(self, _: cri.GetEventsRequest) -> AsyncIterator[cri.ContainerEventResponse]:
        """The verb GetContainerEvents: events from now on; ends when the reader has fallen too far behind."""
        queue: asyncio.Queue[cri.ContainerEventResponse | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)
