"""PodSandboxStats, ListPodSandboxStats, StreamPodSandboxStats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from pycri._generated import cri_pb2 as cri
from pycri.stats.collector import Collector
from pycri.store import Store

_PER_MESSAGE = 50


class PodSandboxStats:
    """The verbs; a sandbox that is not ready is in no list."""

    def __init__(self, store: Store, collector: Collector) -> None:
        self._store = store
        self._collector = collector

    async def one(self, request: cri.PodSandboxStatsRequest) -> cri.PodSandboxStatsResponse:
        """Raises NotFound."""
        record = self._store.sandboxes.get(request.pod_sandbox_id)
        return cri.PodSandboxStatsResponse(stats=await self._collector.pod(record))

    async def list(self, request: cri.ListPodSandboxStatsRequest) -> cri.ListPodSandboxStatsResponse:
        return cri.ListPodSandboxStatsResponse(stats=await self._all(request.filter))

    async def stream(
        self, request: cri.StreamPodSandboxStatsRequest
    ) -> AsyncIterator[cri.StreamPodSandboxStatsResponse]:
        found = await self._all(request.filter)
        for start in range(0, len(found), _PER_MESSAGE):
            yield cri.StreamPodSandboxStatsResponse(pod_sandbox_stats=found[start : start + _PER_MESSAGE])

    async def _all(self, wanted: cri.PodSandboxStatsFilter) -> Sequence[cri.PodSandboxStats]:
        ready = self._store.sandboxes.select(
            record_id=wanted.id, state=cri.SANDBOX_READY, labels=dict(wanted.label_selector)
        )
        return await asyncio.gather(*(self._collector.pod(record) for record in ready))
