"""The metrics of pods and containers under cAdvisor's names (ListMetricDescriptors, ListPodSandboxMetrics).

One table says everything: name, help, type, own labels, and where the values come from. The CRI carries
whole numbers, so seconds are rounded down.
"""

# ruff: noqa: E501  # one row of the table per line
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycri._generated import cri_pb2 as cri
from pycri.stats.cgroup import Sample
from pycri.stats.network import Interface

#: Labels of every metric, before its own.
BASE_LABELS = ("container", "id", "image", "name", "namespace", "pod")

Values = Iterable[tuple[tuple[str, ...], int]]


@dataclass(frozen=True)
class Source:
    """What values are taken from. ``resources`` are the limits asked for, ``started_at`` in nanoseconds."""

    sample: Sample | None
    cgroup: dict[str, str]
    pids: Sequence[int]
    resources: cri.LinuxContainerResources
    started_at: int
    now: int
    layer: tuple[int, int]
    disk: os.statvfs_result | None
    interfaces: Sequence[Interface] = ()


@dataclass(frozen=True)
class Metric:
    """One row of the table."""

    name: str
    help: str
    type: cri.MetricType
    values: Callable[[Source], Values]
    labels: tuple[str, ...] = ()


def descriptors() -> list[cri.MetricDescriptor]:
    """For ListMetricDescriptors."""
    return [
        cri.MetricDescriptor(name=metric.name, help=metric.help, label_keys=[*BASE_LABELS, *metric.labels])
        for metric in (*CONTAINER_METRICS, *POD_METRICS)
    ]


def measure(table: Iterable[Metric], source: Source, base: Sequence[str]) -> Iterator[cri.Metric]:
    """The metrics of ``table``; ``base`` are the values of BASE_LABELS."""
    for metric in table:
        for own, value in _values(metric, source):
            yield cri.Metric(
                name=metric.name,
                timestamp=source.now,
                metric_type=metric.type,
                label_values=[*base, *own],
                value=cri.UInt64Value(value=max(value, 0)),
            )


def _values(metric: Metric, source: Source) -> Values:
    """None for a container that ends while it is read."""
    try:
        return tuple(metric.values(source))
    except (OSError, ValueError):
        return ()


def _of_sample(read: Callable[[Sample], int | None]) -> Callable[[Source], Values]:
    def values(source: Source) -> Values:
        value = None if source.sample is None else read(source.sample)
        return () if value is None else (((), value),)

    return values


def _of_source(read: Callable[[Source], int | None]) -> Callable[[Source], Values]:
    def values(source: Source) -> Values:
        value = read(source)
        return () if value is None else (((), value),)

    return values


def _cpu_stat(v1: str, v1_unit: int, v2: str, v2_unit: int) -> Callable[[Source], Values]:
    """A row of cpu.stat, in units per second of the two versions."""

    def read(sample: Sample) -> int:
        if v2 in sample.cpu_stat:
            return sample.cpu_stat[v2] // v2_unit
        return sample.cpu_stat.get(v1, 0) // v1_unit

    return _of_sample(read)


def _ticks(name: str, v2: str) -> Callable[[Source], Values]:
    def read(source: Source) -> int | None:
        if source.sample is None:
            return None
        if v2 in source.sample.cpu_stat:
            return source.sample.cpu_stat[v2] // 1_000_000
        table = _rows(source.cgroup.get("cpuacct", ""), "cpuacct.stat")
        return table.get(name, 0) // os.sysconf("SC_CLK_TCK")

    return _of_source(read)


def _memory(v1: str, v2: str) -> Callable[[Source], Values]:
    return _of_sample(lambda sample: sample.memory_stat.get(v1, sample.memory_stat.get(v2, 0)))


def _pressure(kind: str, share: str) -> Callable[[Source], Values]:
    def read(sample: Sample) -> int | None:
        found = sample.pressure.get((kind, share))
        return None if found is None else found.total // 1_000_000

    return _of_sample(read)


def _faults(source: Source) -> Values:
    if source.sample is None:
        return
    # cAdvisor's two scopes differ only for nested cgroups, which containers rarely make
    for scope in ("container", "hierarchy"):
        yield ("pgfault", scope), source.sample.page_faults
        yield ("pgmajfault", scope), source.sample.major_page_faults


def _devices(operation: str, bytes_wanted: bool) -> Callable[[Source], Values]:
    def values(source: Source) -> Values:
        for device, counters in _block_io(source.cgroup, bytes_wanted).items():
            if operation in counters:
                yield (device,), counters[operation]

    return values


def _blkio(source: Source) -> Values:
    for device, counters in _block_io(source.cgroup, True).items():
        for operation, value in counters.items():
            yield (device, operation.capitalize()), value


def _huge_pages(v1: str, v2: str) -> Callable[[Source], Values]:
    def values(source: Source) -> Values:
        directory = source.cgroup.get("", source.cgroup.get("hugetlb", ""))
        name = v2 if "" in source.cgroup else v1
        for path in Path(directory).glob(f"hugetlb.*.{name}") if directory and name else ():
            text = path.read_text().strip()
            if text.isdigit():
                yield (path.name.split(".")[1],), int(text)

    return values


def _descriptors_of(source: Source, sockets: bool) -> int:
    count = 0
    for pid in source.pids:
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                if not sockets:
                    count += sum(1 for _ in entries)
                    continue
                count += sum(1 for entry in entries if str(Path(entry.path).readlink()).startswith("socket:"))
        except OSError:
            continue  # it ended while we looked
    return count


def _threads(source: Source) -> int:
    count = 0
    for pid in source.pids:
        count += sum(1 for _ in Path(f"/proc/{pid}/task").glob("*"))
    return count


def _threads_max(source: Source) -> int:
    path = Path(source.cgroup.get("", source.cgroup.get("pids", "/nonexistent")), "pids.max")
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text.isdigit() else 0


def _ulimits(source: Source) -> Values:
    if not source.pids:
        return
    try:
        lines = Path(f"/proc/{source.pids[0]}/limits").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("Max open files"):
            soft = line.split()[3]
            yield ("max_open_files",), int(soft) if soft.isdigit() else 0


def _disk(read: Callable[[os.statvfs_result], int]) -> Callable[[Source], Values]:
    def values(source: Source) -> Values:
        return () if source.disk is None else ((("overlay",), read(source.disk)),)

    return values


def _cpu_total(source: Source) -> Values:
    return () if source.sample is None else ((("total",), source.sample.cpu // 10**9),)


def _layer_bytes(source: Source) -> Values:
    return ((("overlay",), source.layer[0]),)


def _interfaces(name: str) -> Callable[[Source], Values]:
    return lambda source: [((link.name,), getattr(link, name)) for link in source.interfaces]


def _block_io(cgroup: dict[str, str], bytes_wanted: bool) -> dict[str, dict[str, int]]:
    """Bytes or operations, by device and read or write."""
    found: dict[str, dict[str, int]] = {}
    if "" in cgroup:
        keys = {"rbytes": "read", "wbytes": "write"} if bytes_wanted else {"rios": "read", "wios": "write"}
        for line in _lines(cgroup[""], "io.stat"):
            device, *pairs = line.split()
            for key, _, value in (pair.partition("=") for pair in pairs):
                if key in keys:
                    found.setdefault(device, {})[keys[key]] = int(value)
        return found
    name = "blkio.throttle.io_service_bytes" if bytes_wanted else "blkio.throttle.io_serviced"
    for line in _lines(cgroup.get("blkio", ""), name):
        words = line.split()
        if len(words) == 3 and words[1] in ("Read", "Write"):
            found.setdefault(words[0], {})[words[1].lower()] = int(words[2])
    return found


def _rows(directory: str, name: str) -> dict[str, int]:
    pairs = (line.split() for line in _lines(directory, name))
    return {words[0]: int(words[1]) for words in pairs if len(words) == 2 and words[1].isdigit()}


def _lines(directory: str, name: str) -> list[str]:
    try:
        return Path(directory, name).read_text().splitlines() if directory else []
    except OSError:
        return []


def _counter(
    name: str, text: str, values: Callable[[Source], Values], labels: tuple[str, ...] = ()
) -> Metric:
    return Metric(name, text, cri.COUNTER, values, labels)


def _gauge(name: str, text: str, values: Callable[[Source], Values], labels: tuple[str, ...] = ()) -> Metric:
    return Metric(name, text, cri.GAUGE, values, labels)


CONTAINER_METRICS: tuple[Metric, ...] = (
    _counter("container_blkio_device_usage_total", "Bytes read and written by device.", _blkio, ("device", "operation")),
    _counter("container_cpu_cfs_periods_total", "Elapsed enforcement periods.", _cpu_stat("nr_periods", 1, "nr_periods", 1)),
    _counter("container_cpu_cfs_throttled_periods_total", "Throttled periods.", _cpu_stat("nr_throttled", 1, "nr_throttled", 1)),
    _counter("container_cpu_cfs_throttled_seconds_total", "Seconds of throttling.", _cpu_stat("throttled_time", 10**9, "throttled_usec", 10**6)),
    _counter("container_cpu_system_seconds_total", "CPU seconds in the kernel.", _ticks("system", "system_usec")),
    _counter("container_cpu_usage_seconds_total", "CPU seconds.", _cpu_total, ("cpu",)),
    _counter("container_cpu_user_seconds_total", "CPU seconds in user space.", _ticks("user", "user_usec")),
    _gauge("container_file_descriptors", "Open file descriptors.", _of_source(lambda s: _descriptors_of(s, False))),
    _gauge("container_fs_inodes_free", "Free inodes.", _disk(lambda d: d.f_ffree), ("device",)),
    _gauge("container_fs_inodes_total", "Inodes.", _disk(lambda d: d.f_files), ("device",)),
    _gauge("container_fs_limit_bytes", "Size of the file system.", _disk(lambda d: d.f_blocks * d.f_frsize), ("device",)),
    _counter("container_fs_reads_bytes_total", "Bytes read.", _devices("read", True), ("device",)),
    _counter("container_fs_reads_total", "Reads.", _devices("read", False), ("device",)),
    _gauge("container_fs_usage_bytes", "Bytes of the writable layer.", _layer_bytes, ("device",)),
    _counter("container_fs_writes_bytes_total", "Bytes written.", _devices("write", True), ("device",)),
    _counter("container_fs_writes_total", "Writes.", _devices("write", False), ("device",)),
    _gauge("container_hugetlb_max_usage_bytes", "Most huge page bytes used.", _huge_pages("max_usage_in_bytes", ""), ("pagesize",)),
    _gauge("container_hugetlb_usage_bytes", "Huge page bytes used.", _huge_pages("usage_in_bytes", "current"), ("pagesize",)),
    _gauge("container_last_seen", "When the container was last seen, in seconds since the epoch.", _of_source(lambda s: s.now // 10**9)),
    _gauge("container_memory_cache", "Bytes of page cache.", _memory("total_cache", "file")),
    _counter("container_memory_failcnt", "Times the memory limit was hit.", _of_sample(lambda s: s.memory_failures or 0)),
    _counter("container_memory_failures_total", "Page faults.", _faults, ("failure_type", "scope")),
    _gauge("container_memory_kernel_usage", "Bytes of kernel memory.", _memory("kernel_stack", "kernel")),
    _gauge("container_memory_mapped_file", "Bytes of mapped files.", _memory("total_mapped_file", "file_mapped")),
    _gauge("container_memory_max_usage_bytes", "Most bytes used.", _of_sample(lambda s: s.memory_peak or s.memory)),
    _gauge("container_memory_rss", "Bytes of anonymous memory.", _of_sample(lambda s: s.rss)),
    _gauge("container_memory_swap", "Bytes of swap.", _of_sample(lambda s: s.swap or 0)),
    _gauge("container_memory_usage_bytes", "Bytes used, with page cache.", _of_sample(lambda s: s.memory)),
    _gauge("container_memory_working_set_bytes", "Bytes that cannot be reclaimed easily.", _of_sample(lambda s: s.working_set)),
    _counter("container_oom_events_total", "Kills for memory.", _of_sample(lambda s: s.oom_kills or 0)),
    _counter("container_pressure_cpu_stalled_seconds_total", "Seconds all tasks waited for CPU.", _pressure("cpu", "full")),
    _counter("container_pressure_cpu_waiting_seconds_total", "Seconds some task waited for CPU.", _pressure("cpu", "some")),
    _counter("container_pressure_io_stalled_seconds_total", "Seconds all tasks waited for I/O.", _pressure("io", "full")),
    _counter("container_pressure_io_waiting_seconds_total", "Seconds some task waited for I/O.", _pressure("io", "some")),
    _counter("container_pressure_memory_stalled_seconds_total", "Seconds all tasks waited for memory.", _pressure("memory", "full")),
    _counter("container_pressure_memory_waiting_seconds_total", "Seconds some task waited for memory.", _pressure("memory", "some")),
    _gauge("container_processes", "Processes.", _of_source(lambda s: len(s.pids))),
    _gauge("container_sockets", "Open sockets.", _of_source(lambda s: _descriptors_of(s, True))),
    _gauge("container_spec_cpu_period", "CFS period, in microseconds.", _of_source(lambda s: s.resources.cpu_period)),
    _gauge("container_spec_cpu_quota", "CFS quota, in microseconds; absent without one.", _of_source(lambda s: s.resources.cpu_quota if s.resources.cpu_quota > 0 else None)),
    _gauge("container_spec_cpu_shares", "CPU shares.", _of_source(lambda s: s.resources.cpu_shares)),
    _gauge("container_spec_memory_limit_bytes", "Memory limit; 0 without one.", _of_source(lambda s: s.resources.memory_limit_in_bytes)),
    _gauge("container_spec_memory_reservation_limit_bytes", "Memory reservation; 0 without one.", _of_source(lambda s: int(s.resources.unified.get("memory.low", "0") or 0))),
    _gauge("container_spec_memory_swap_limit_bytes", "Swap limit; 0 without one.", _of_source(lambda s: s.resources.memory_swap_limit_in_bytes)),
    _gauge("container_start_time_seconds", "When the container started, in seconds since the epoch.", _of_source(lambda s: s.started_at // 10**9)),
    _gauge("container_threads", "Threads.", _of_source(_threads)),
    _gauge("container_threads_max", "Most threads allowed; 0: no limit.", _of_source(_threads_max)),
    _gauge("container_ulimits_soft", "Soft limits of the first process.", _ulimits, ("ulimit",)),
)  # fmt: skip

POD_METRICS: tuple[Metric, ...] = tuple(
    _counter(f"container_network_{direction}_{what}_total", f"{label} {verb}.", _interfaces(f"{field}_{own}"), ("interface",))
    for direction, field, verb in (("receive", "rx", "received"), ("transmit", "tx", "sent"))
    for what, own, label in (
        ("bytes", "bytes", "Bytes"),
        ("errors", "errors", "Packets in error,"),
        ("packets_dropped", "dropped", "Packets dropped, to be"),
        ("packets", "packets", "Packets"),
    )
)  # fmt: skip
