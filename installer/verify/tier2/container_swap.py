"""How much may be swapped out."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect_equal
from installer.verify.containers import resources
from installer.verify.context import Context

_MEMORY, _BOTH = 64 << 20, 96 << 20
_SCRIPT = """
cd /sys/fs/cgroup
cat memory.swap.max 2>/dev/null || cat memory/memory.memsw.limit_in_bytes 2>/dev/null || true
"""


@check(
    "container.swap",
    tier=2,
    title="Limits swap",
    proves="memory_swap_limit_in_bytes (memory and swap together); without it none is allowed",
    fix="the kubelet's LimitedSwap depends on it: does the kernel count swap (swapaccount=1)?",
)
def container_swap(ctx: Context) -> str:
    found = ctx.container.output("sh", "-c", _SCRIPT).strip()
    if not found:
        raise NotApplicable("the kernel does not count swap for cgroups")
    version_2 = ctx.container.exec("test", "-e", "/sys/fs/cgroup/cgroup.controllers").exit_code == 0
    none = "0" if version_2 else str(ctx.container.config.linux.resources.memory_limit_in_bytes)
    expect_equal(found, none, "the swap limit of a container with a memory limit alone")
    limits = resources(memory_limit_in_bytes=_MEMORY, memory_swap_limit_in_bytes=_BOTH)
    with ctx.container.pod.running(name="swap", linux=limits) as container:
        limit = container.output("sh", "-c", _SCRIPT).strip()
    expect_equal(limit, str(_BOTH - _MEMORY if version_2 else _BOTH), "the swap limit")
    return f"{(_BOTH - _MEMORY) >> 20} MiB of swap; none by default"
