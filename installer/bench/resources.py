"""What an endpoint costs while nobody calls it: resident memory and CPU time of its processes."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from installer.bench.samples import Samples

if TYPE_CHECKING:
    from installer.bench.cases import Side

_IDLE_SECONDS = 10.0
_SETTLE_SECONDS = 2.0


def listener(target: str) -> int | None:
    """The process that serves ``unix:///path``, as the kernel knows it; None for one of another machine."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(target.removeprefix("unix://"))
        except OSError:
            return None
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0]) or None


def memory(sides: Sequence[Side], samples: Samples, step: str) -> None:
    """Resident memory in MB, of each side whose processes are known."""
    for side in sides:
        if side.processes:
            samples.add(side.index, step, sum(map(_resident, side.processes)) / 1e6, "MB")


def idle(sides: Sequence[Side], samples: Samples, pods: int) -> None:
    """Memory, and CPU time in per cent of one core over some seconds without a call."""
    if not any(side.processes for side in sides):
        return
    time.sleep(_SETTLE_SECONDS)  # what the starts left to do must not be counted
    memory(sides, samples, f"RSS with {pods} pods")
    before = [sum(map(_cpu_seconds, side.processes)) for side in sides]
    began = time.monotonic()
    time.sleep(_IDLE_SECONDS)
    for side, used in zip(sides, before, strict=True):
        if side.processes:
            share = (sum(map(_cpu_seconds, side.processes)) - used) / (time.monotonic() - began)
            samples.add(side.index, f"CPU idle with {pods} pods", 100 * share, "% of a core")


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
