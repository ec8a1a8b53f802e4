"""ContainerStats, ListContainerStats, StreamContainerStats."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from pycri._generated import cri_pb2 as cri
from pycri.stats.collector import Collector
from pycri.store import ContainerRecord, Store

# Messages of one stream stay far below the size limit.
_PER_MESSAGE = 100


class ContainerStats:
    """The verbs; a container that does not run is in no list (CRI)."""

    def __init__(self, store: Store, collector: Collector) -> None:
        self._store = store
        self._collector = collector

    async def one(self, request: cri.ContainerStatsRequest) -> cri.ContainerStatsResponse:
        """Raises NotFound."""
        record = self._store.containers.get(request.container_id)
        return cri.ContainerStatsResponse(stats=await self._collector.container(record))

    async def list(self, request: cri.ListContainerStatsRequest) -> cri.ListContainerStatsResponse:
        found = await self._collector.containers(self._wanted(request.filter))
        return cri.ListContainerStatsResponse(stats=found)

    async def stream(
        self, request: cri.StreamContainerStatsRequest
    ) -> AsyncIterator[cri.StreamContainerStatsResponse]:
        found = await self._collector.containers(self._wanted(request.filter))
        for start in range(0, len(found), _PER_MESSAGE):
            yield cri.StreamContainerStatsResponse(container_stats=found[start : start + _PER_MESSAGE])

    def _wanted(self, wanted: cri.ContainerStatsFilter) -> Sequence[ContainerRecord]:
        return self._store.containers.select(
            record_id=wanted.id, sandbox_id=wanted.pod_sandbox_id, labels=dict(wanted.label_selector)
        )
