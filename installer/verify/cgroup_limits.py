"""A container's limits as its own cgroup has them, v1 or v2."""

from __future__ import annotations

from dataclasses import dataclass

from installer.verify.check import Failed
from installer.verify.pods import Container

_SCRIPT = """
cd /sys/fs/cgroup
if [ -e memory.max ]; then cat memory.max cpu.max
elif [ -e memory/memory.limit_in_bytes ]; then
    cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us
fi
"""


@dataclass(frozen=True)
class Limits:
    """Memory in bytes; CPU quota and period in microseconds. -1 is no limit."""

    memory: int
    quota: int
    period: int


def read_limits(container: Container) -> Limits:
    """The limits that hold for the container. Raises Failed when its /sys/fs/cgroup shows none."""
    words = container.output("sh", "-c", _SCRIPT).split()
    if len(words) != 3:
        raise Failed(f"/sys/fs/cgroup in the container shows no limits: {' '.join(words) or 'empty'}")
    return Limits(*(-1 if word == "max" else int(word) for word in words))
