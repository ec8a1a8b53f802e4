"""Statistics of containers and pods, kept for a second: a node's scrapers ask at the same time."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.config import Config
from pycri.containerd import Containerd
from pycri.stats import cgroup, metrics, network
from pycri.store import ContainerRecord, SandboxRecord, Store, records

log = logging.getLogger(__name__)

_FRESH_SECONDS = 1.0
_LAYER_FRESH_SECONDS = 10.0  # measuring a writable layer walks its directory
_PARALLEL_WALKS = 4
# Two readings closer together say more about the scheduler than about the load.
_SHORTEST_INTERVAL = 0.25

_SUMMED = ("working_set_bytes", "usage_bytes", "rss_bytes", "page_faults", "major_page_faults")


@dataclass
class _Known:
    """What is remembered of one container or pod between calls. Times are monotonic, in seconds."""

    paths: dict[str, str]
    cpu: int = 0
    cpu_at: float = 0.0
    nano_cores: int | None = None
    layer: tuple[int, int] | None = None
    layer_at: float = 0.0
    layer_time: int = 0  # nanoseconds since the epoch
    container: cri.ContainerStats | None = None
    pod: cri.PodSandboxStats | None = None
    built_at: float = 0.0


class Collector:
    """Reads cgroups; ``mountpoint`` names the snapshotter's directory for the writable layers."""

    def __init__(
        self, config: Config, store: Store, containerd: Containerd, mountpoint: Callable[[], Awaitable[str]]
    ) -> None:
        self._snapshotter = config.containerd.snapshotter
        self._store = store
        self._containerd = containerd
        self._mountpoint = mountpoint
        self._known: dict[str, _Known] = {}
        self._layer_mountpoint = ""
        self._walks = asyncio.Semaphore(_PARALLEL_WALKS)

    async def container(self, record: ContainerRecord) -> cri.ContainerStats:
        """Stats at most a second old; without CPU and memory if it does not run."""
        known = self._remember(record.id, record.pid, pod=False)
        now = time.monotonic()
        if known is None:
            return cri.ContainerStats(attributes=_container_attributes(record))
        if known.container is None or now - known.built_at > _FRESH_SECONDS:
            await self._measure_layer(record.id, known, now)
            known.container = self._build_container(record, known)
            known.built_at = now
        return known.container

    async def containers(self, wanted: Sequence[ContainerRecord]) -> list[cri.ContainerStats]:
        """Of those that run; one that ends meanwhile is left out."""
        running = [record for record in wanted if record.state == records.RUNNING]
        found = await asyncio.gather(*(self.container(record) for record in running))
        self._forget()
        return [stats for stats in found if stats.HasField("cpu")]

    async def pod(self, record: SandboxRecord) -> cri.PodSandboxStats:
        """Stats of the pod's cgroup, its network and its containers."""
        members = self._store.containers.of_sandbox(record.id)
        containers = await self.containers([member for member in members if member.listed])
        known = self._remember(record.id, record.pid, pod=bool(record.config.linux.cgroup_parent))
        stats = cri.PodSandboxStats(attributes=_pod_attributes(record))
        stats.linux.containers.extend(containers)
        if known is not None:
            sample = self._sample(known)
            if sample is not None:
                _fill_pod(stats.linux, sample, known.nano_cores)
                if not record.config.linux.cgroup_parent:
                    self._add_members(stats.linux)
            _fill_network(stats.linux, record)
        return stats

    def _add_members(self, pod: cri.LinuxPodSandboxStats) -> None:
        """A pod that was given no cgroup of its own: what was read is the pause container's alone."""
        for member in pod.containers:
            pod.cpu.usage_core_nano_seconds.value += member.cpu.usage_core_nano_seconds.value
            if member.cpu.HasField("usage_nano_cores"):
                pod.cpu.usage_nano_cores.value += member.cpu.usage_nano_cores.value
            for name in _SUMMED:
                getattr(pod.memory, name).value += getattr(member.memory, name).value
            known = self._known.get(member.attributes.id)
            if known is not None:
                pod.process.process_count.value += len(cgroup.processes(known.paths))

    async def source(self, record: ContainerRecord) -> metrics.Source | None:
        """What the metrics of a running container are read from; None if it ended meanwhile."""
        known = self._remember(record.id, record.pid, pod=False)
        if known is None:
            return None
        await self._measure_layer(record.id, known, time.monotonic())
        return metrics.Source(
            sample=self._sample(known),
            cgroup=known.paths,
            pids=cgroup.processes(known.paths),
            resources=record.config.linux.resources,
            started_at=record.started_at,
            now=time.time_ns(),
            layer=known.layer or (0, 0),
            disk=os.statvfs(self._layer_mountpoint) if self._layer_mountpoint else None,
        )

    def pod_source(self, record: SandboxRecord) -> metrics.Source:
        """What the metrics of a pod are read from: its interfaces."""
        try:
            interfaces = network.read(record.pid) if record.netns else []
        except OSError:
            interfaces = []  # it ended meanwhile
        return metrics.Source(
            sample=None,
            cgroup={},
            pids=(),
            resources=cri.LinuxContainerResources(),
            started_at=record.created_at,
            now=time.time_ns(),
            layer=(0, 0),
            disk=None,
            interfaces=interfaces,
        )

    def _remember(self, record_id: str, pid: int, *, pod: bool) -> _Known | None:
        known = self._known.get(record_id)
        if known is None and pid:
            try:
                paths = cgroup.paths_of(pid)
            except OSError:
                return None  # ended just now
            known = self._known[record_id] = _Known(cgroup.parents_of(paths) if pod else paths)
        return known if pid else None

    def _forget(self) -> None:
        if len(self._known) > 2 * (len(self._store.containers) + len(self._store.sandboxes)) + 16:
            alive = {r.id for r in self._store.containers} | {r.id for r in self._store.sandboxes}
            self._known = {key: value for key, value in self._known.items() if key in alive}

    def _sample(self, known: _Known) -> cgroup.Sample | None:
        try:
            sample = cgroup.read(known.paths)
        except (OSError, KeyError, ValueError):
            return None  # the cgroup went away while it was read
        now = time.monotonic()
        if known.cpu_at and now - known.cpu_at >= _SHORTEST_INTERVAL:
            known.nano_cores = max(round((sample.cpu - known.cpu) / (now - known.cpu_at)), 0)
        if not known.cpu_at or now - known.cpu_at >= _SHORTEST_INTERVAL:
            known.cpu, known.cpu_at = sample.cpu, now
        return sample

    def _build_container(self, record: ContainerRecord, known: _Known) -> cri.ContainerStats:
        stats = cri.ContainerStats(attributes=_container_attributes(record))
        if known.layer is not None:
            layer = stats.writable_layer
            layer.timestamp = known.layer_time
            layer.fs_id.mountpoint = self._layer_mountpoint
            layer.used_bytes.value, layer.inodes_used.value = known.layer
        sample = self._sample(known)
        if sample is not None:
            now = time.time_ns()
            _fill_cpu(stats.cpu, now, sample, known.nano_cores)
            _fill_memory(stats.memory, now, sample)
            _fill_swap(stats.swap, now, sample)
            _fill_io(stats.io, now, sample)
        return stats

    async def _measure_layer(self, container_id: str, known: _Known, now: float) -> None:
        if known.layer is not None and now - known.layer_at < _LAYER_FRESH_SECONDS:
            return
        self._layer_mountpoint = await self._mountpoint()
        async with self._walks:
            try:
                usage = await self._containerd.snapshots.usage(self._snapshotter, container_id)
            except errors.NotFound:
                return  # being removed
        known.layer, known.layer_at = (usage.size, usage.inodes), now
        known.layer_time = time.time_ns()


def _container_attributes(record: ContainerRecord) -> cri.ContainerAttributes:
    config = record.config
    return cri.ContainerAttributes(
        id=record.id, metadata=config.metadata, labels=config.labels, annotations=config.annotations
    )


def _pod_attributes(record: SandboxRecord) -> cri.PodSandboxAttributes:
    config = record.config
    return cri.PodSandboxAttributes(
        id=record.id, metadata=config.metadata, labels=config.labels, annotations=config.annotations
    )


def _fill_pod(into: cri.LinuxPodSandboxStats, sample: cgroup.Sample, nano_cores: int | None) -> None:
    now = time.time_ns()
    _fill_cpu(into.cpu, now, sample, nano_cores)
    _fill_memory(into.memory, now, sample)
    _fill_io(into.io, now, sample)
    if sample.processes is not None:
        into.process.timestamp = now
        into.process.process_count.value = sample.processes


def _fill_network(into: cri.LinuxPodSandboxStats, record: SandboxRecord) -> None:
    if not record.netns:
        return  # the host's interfaces are not the pod's
    try:
        interfaces = network.read(record.pid)
    except OSError:
        return
    into.network.timestamp = time.time_ns()
    for interface in interfaces:
        usage = cri.NetworkInterfaceUsage(name=interface.name)
        usage.rx_bytes.value, usage.rx_errors.value = interface.rx_bytes, interface.rx_errors
        usage.tx_bytes.value, usage.tx_errors.value = interface.tx_bytes, interface.tx_errors
        if into.network.HasField("default_interface"):
            into.network.interfaces.append(usage)
        else:
            into.network.default_interface.CopyFrom(usage)


def _fill_cpu(into: cri.CpuUsage, now: int, sample: cgroup.Sample, nano_cores: int | None) -> None:
    into.timestamp = now
    into.usage_core_nano_seconds.value = sample.cpu
    if nano_cores is not None:
        into.usage_nano_cores.value = nano_cores
    _fill_pressure(into, sample, "cpu")


def _fill_memory(into: cri.MemoryUsage, now: int, sample: cgroup.Sample) -> None:
    into.timestamp = now
    into.working_set_bytes.value = sample.working_set
    into.usage_bytes.value = sample.memory
    into.rss_bytes.value = sample.rss
    into.page_faults.value = sample.page_faults
    into.major_page_faults.value = sample.major_page_faults
    if sample.available is not None:
        into.available_bytes.value = sample.available
    _fill_pressure(into, sample, "memory")


def _fill_swap(into: cri.SwapUsage, now: int, sample: cgroup.Sample) -> None:
    into.timestamp = now
    if sample.swap is not None:
        into.swap_usage_bytes.value = sample.swap
    if sample.swap_available is not None:
        into.swap_available_bytes.value = sample.swap_available


def _fill_io(into: cri.IoUsage, now: int, sample: cgroup.Sample) -> None:
    if any(kind == "io" for kind, _ in sample.pressure):
        into.timestamp = now
        _fill_pressure(into, sample, "io")


def _fill_pressure(
    into: cri.CpuUsage | cri.MemoryUsage | cri.IoUsage, sample: cgroup.Sample, kind: str
) -> None:
    for share, target in (("some", "Some"), ("full", "Full")):
        pressure = sample.pressure.get((kind, share))
        if pressure is not None:
            data = getattr(into.psi, target)
            data.Total = pressure.total
            data.Avg10, data.Avg60, data.Avg300 = pressure.avg10, pressure.avg60, pressure.avg300
