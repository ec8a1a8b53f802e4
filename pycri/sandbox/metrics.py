"""ListMetricDescriptors, ListPodSandboxMetrics, StreamPodSandboxMetrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pycri._generated import cri_pb2 as cri
from pycri.stats import metrics
from pycri.stats.collector import Collector
from pycri.store import ContainerRecord, SandboxRecord, Store, records


class PodSandboxMetrics:
    """The verbs."""

    def __init__(self, store: Store, collector: Collector) -> None:
        self._store = store
        self._collector = collector

    async def descriptors(self, _: cri.ListMetricDescriptorsRequest) -> cri.ListMetricDescriptorsResponse:
        return cri.ListMetricDescriptorsResponse(descriptors=metrics.descriptors())

    async def list(self, _: cri.ListPodSandboxMetricsRequest) -> cri.ListPodSandboxMetricsResponse:
        found = await asyncio.gather(*(self._pod(record) for record in self._ready()))
        return cri.ListPodSandboxMetricsResponse(pod_metrics=found)

    async def stream(
        self, _: cri.StreamPodSandboxMetricsRequest
    ) -> AsyncIterator[cri.StreamPodSandboxMetricsResponse]:
        for record in self._ready():
            yield cri.StreamPodSandboxMetricsResponse(pod_sandbox_metrics=[await self._pod(record)])

    def _ready(self) -> tuple[SandboxRecord, ...]:
        return tuple(self._store.sandboxes.select(state=cri.SANDBOX_READY))

    async def _pod(self, record: SandboxRecord) -> cri.PodSandboxMetrics:
        members = self._store.containers.of_sandbox(record.id)
        running = [member for member in members if member.state == records.RUNNING]
        found = await asyncio.gather(*(self._container(record, member) for member in running))
        base = _base(record, "POD", f"/{record.id}", "", record.id)
        return cri.PodSandboxMetrics(
            pod_sandbox_id=record.id,
            metrics=metrics.measure(metrics.POD_METRICS, self._collector.pod_source(record), base),
            container_metrics=[item for item in found if item is not None],
        )

    async def _container(self, pod: SandboxRecord, record: ContainerRecord) -> cri.ContainerMetrics | None:
        source = await self._collector.source(record)
        if source is None:
            return None
        base = _base(pod, record.config.metadata.name, record.cgroup, record.image_name, record.id)
        return cri.ContainerMetrics(
            container_id=record.id, metrics=metrics.measure(metrics.CONTAINER_METRICS, source, base)
        )


def _base(pod: SandboxRecord, container: str, cgroup: str, image: str, name: str) -> list[str]:
    """Values of metrics.BASE_LABELS."""
    meta = pod.config.metadata
    return [container, cgroup, image, name, meta.namespace, meta.name]
