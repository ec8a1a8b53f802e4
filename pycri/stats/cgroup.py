"""What the kernel says of one cgroup, version 1 or 2: a few small files, no shim asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycri import cgroups

# "no limit" in version 1 is the largest page-aligned number; nothing real comes near this
_UNLIMITED = 1 << 60
_KINDS = ("cpu", "memory", "io")


@dataclass(frozen=True)
class Pressure:
    """One line of a pressure file: averages in per cent over 10, 60 and 300 s, total in microseconds."""

    avg10: float
    avg60: float
    avg300: float
    total: int


@dataclass(frozen=True)
class Sample:
    """One reading. Bytes, but ``cpu`` in nanoseconds; None: the kernel does not say."""

    cpu: int
    memory: int
    working_set: int
    available: int | None
    rss: int
    page_faults: int
    major_page_faults: int
    swap: int | None = None
    swap_available: int | None = None
    processes: int | None = None
    pressure: Mapping[tuple[str, str], Pressure] = field(default_factory=dict)  # ("cpu", "some")
    memory_stat: Mapping[str, int] = field(default_factory=dict)
    cpu_stat: Mapping[str, int] = field(default_factory=dict)
    memory_peak: int | None = None
    memory_limit: int | None = None
    memory_failures: int | None = None
    oom_kills: int | None = None


def paths_of(pid: int) -> dict[str, str]:
    """Directories of the process's cgroup: by controller in version 1, under ``""`` in version 2.

    Raises OSError: the process is gone.
    """
    found = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if cgroups.unified():
            found[""] = f"{cgroups.ROOT}{path}".rstrip("/")
        else:
            for controller in controllers.split(",") if controllers else ():
                name = controller.removeprefix("name=")
                found[name] = f"{cgroups.ROOT}/{controllers.removeprefix('name=')}{path}".rstrip("/")
    return found


def parents_of(paths: Mapping[str, str]) -> dict[str, str]:
    """The directories one level up: of a pause container's cgroup, its pod's."""
    return {controller: path.rpartition("/")[0] for controller, path in paths.items()}


def processes(paths: Mapping[str, str]) -> list[int]:
    """Process ids in the cgroup; none when it is gone."""
    directory = paths.get("", paths.get("memory", ""))
    try:
        return [int(word) for word in _slurp(f"{directory}/cgroup.procs").split()]
    except OSError:
        return []


def read(paths: Mapping[str, str]) -> Sample:
    """Raises OSError: the cgroup is gone."""
    return _read_v2(paths[""]) if "" in paths else _read_v1(paths)


def _read_v1(paths: Mapping[str, str]) -> Sample:
    memory = paths["memory"]
    stat = _table(f"{memory}/memory.stat")
    usage = _number(f"{memory}/memory.usage_in_bytes")
    limit = stat.get("hierarchical_memory_limit", _UNLIMITED)
    working = max(usage - stat.get("total_inactive_file", 0), 0)
    both = _number_or_none(f"{memory}/memory.memsw.usage_in_bytes")
    both_limit = stat.get("hierarchical_memsw_limit", _UNLIMITED)
    swap = None if both is None else max(both - usage, 0)
    swap_available = None
    if both is not None and both_limit < _UNLIMITED:
        swap_available = max(both_limit - both, 0)
    return Sample(
        cpu=_number(f"{paths['cpuacct']}/cpuacct.usage"),
        memory=usage,
        working_set=working,
        available=limit - working if limit < _UNLIMITED else None,
        rss=stat.get("total_rss", 0),
        page_faults=stat.get("total_pgfault", 0),
        major_page_faults=stat.get("total_pgmajfault", 0),
        swap=swap,
        swap_available=swap_available,
        processes=_number_or_none(f"{paths['pids']}/pids.current") if "pids" in paths else None,
        memory_stat=stat,
        cpu_stat=_table_or_empty(f"{paths['cpu']}/cpu.stat") if "cpu" in paths else {},
        memory_peak=_number_or_none(f"{memory}/memory.max_usage_in_bytes"),
        memory_limit=limit if limit < _UNLIMITED else None,
        memory_failures=_number_or_none(f"{memory}/memory.failcnt"),
        oom_kills=_table_or_empty(f"{memory}/memory.oom_control").get("oom_kill"),
    )


def _read_v2(path: str) -> Sample:
    stat = _table(f"{path}/memory.stat")
    usage = _number(f"{path}/memory.current")
    limit = _number_or_none(f"{path}/memory.max")
    working = max(usage - stat.get("inactive_file", 0), 0)
    swap = _number_or_none(f"{path}/memory.swap.current")
    swap_limit = _number_or_none(f"{path}/memory.swap.max")
    cpu = _table(f"{path}/cpu.stat")
    events = _table_or_empty(f"{path}/memory.events")
    pressure = {}
    for kind in _KINDS:
        pressure.update(_pressure(path, kind))
    return Sample(
        cpu=cpu.get("usage_usec", 0) * 1000,
        memory=usage,
        working_set=working,
        available=None if limit is None else max(limit - working, 0),
        rss=stat.get("anon", 0),
        page_faults=stat.get("pgfault", 0),
        major_page_faults=stat.get("pgmajfault", 0),
        swap=swap,
        swap_available=None if swap is None or swap_limit is None else max(swap_limit - swap, 0),
        processes=_number_or_none(f"{path}/pids.current"),
        pressure=pressure,
        memory_stat=stat,
        cpu_stat=cpu,
        memory_peak=_number_or_none(f"{path}/memory.peak"),
        memory_limit=limit,
        memory_failures=events.get("max"),
        oom_kills=events.get("oom_kill"),
    )


def _pressure(path: str, kind: str) -> dict[tuple[str, str], Pressure]:
    try:
        text = _slurp(f"{path}/{kind}.pressure")
    except OSError:  # the kernel was built or booted without PSI
        return {}
    found = {}
    for line in text.decode().splitlines():
        words = line.split()
        values = dict(word.split("=") for word in words[1:])
        found[kind, words[0]] = Pressure(
            float(values["avg10"]), float(values["avg60"]), float(values["avg300"]), int(values["total"])
        )
    return found


def _table(path: str) -> dict[str, int]:
    found = {}
    for line in _slurp(path).decode().splitlines():
        name, _, value = line.partition(" ")
        if value.isdigit():
            found[name] = int(value)
    return found


def _table_or_empty(path: str) -> dict[str, int]:
    try:
        return _table(path)
    except OSError:
        return {}


def _number(path: str) -> int:
    return int(_slurp(path))


def _number_or_none(path: str) -> int | None:
    """None also for "max"."""
    try:
        return int(_slurp(path))
    except (OSError, ValueError):
        return None


def _slurp(path: str) -> bytes:
    # half the cost of open(): no buffer, no text layer
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 65536)
    finally:
        os.close(descriptor)
