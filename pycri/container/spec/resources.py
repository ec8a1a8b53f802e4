"""Resource limits: CRI ``LinuxContainerResources`` to OCI ``linux.resources``."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

from pycri import cgroups
from pycri._generated import cri_pb2 as cri

log = logging.getLogger(__name__)


def of_container(given: cri.LinuxContainerResources) -> dict[str, Any]:
    """OCI resources; a field the CRI leaves at zero is left out."""
    found: dict[str, Any] = {}
    cpu = {
        "shares": given.cpu_shares,
        "quota": given.cpu_quota,
        "period": given.cpu_period,
        "cpus": given.cpuset_cpus,
        "mems": given.cpuset_mems,
    }
    cpu = {key: value for key, value in cpu.items() if value}
    if cpu:
        found["cpu"] = cpu
    memory = _memory(given)
    if memory:
        found["memory"] = memory
    if given.hugepage_limits and cgroups.has_hugetlb():
        found["hugepageLimits"] = [
            {"pageSize": limit.page_size, "limit": limit.limit} for limit in given.hugepage_limits
        ]
    if given.unified:
        found["unified"] = dict(given.unified)
    return found


def _memory(given: cri.LinuxContainerResources) -> dict[str, int]:
    memory: dict[str, int] = {}
    if given.memory_limit_in_bytes:
        memory["limit"] = given.memory_limit_in_bytes
        # Equal to the limit means: no swap. Without it the kernel would allow as much again.
        swap = given.memory_swap_limit_in_bytes or given.memory_limit_in_bytes
        if cgroups.has_swap():
            memory["swap"] = swap
    return memory


def oom_score_adj(wanted: int) -> int:
    """``wanted``, or the lowest value this process may set.

    Without CAP_SYS_RESOURCE a value below our own makes runc fail with an obscure message.
    """
    lowest = _lowest_oom_score_adj()
    if wanted < lowest:
        _say_clamped(lowest)
        return lowest
    return wanted


@functools.cache
def _say_clamped(lowest: int) -> None:
    log.warning("oom_score_adj below %d needs CAP_SYS_RESOURCE, which pycri lacks: clamped to it", lowest)


@functools.cache
def _lowest_oom_score_adj() -> int:
    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
    )
    if int(status["CapEff"], 16) >> 24 & 1:  # CAP_SYS_RESOURCE
        return -1000
    return int(Path("/proc/self/oom_score_adj").read_text())
