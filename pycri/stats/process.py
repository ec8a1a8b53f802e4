"""The daemon's own process under the names that every Prometheus client uses."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from pycri.stats.instruments import Gauge
from pycri.version import __version__

_OWN = Path("/proc/self")


def instruments() -> tuple[Gauge, ...]:
    return (
        Gauge("pycri_build_info", "Always 1.", ("version",), lambda: [((__version__,), 1)]),
        Gauge("process_resident_memory_bytes", "Resident memory.", (), _memory),
        Gauge("process_open_fds", "Open file descriptors.", (), _descriptors),
        Gauge("process_cpu_seconds_total", "CPU time, user and system.", (), _cpu, "counter"),
    )


def _memory() -> Iterator[tuple[tuple[str, ...], float]]:
    pages = int((_OWN / "statm").read_text().split()[1])
    yield (), pages * resource.getpagesize()


def _descriptors() -> Iterator[tuple[tuple[str, ...], float]]:
    yield (), len(os.listdir(_OWN / "fd"))  # noqa: PTH208


def _cpu() -> Iterator[tuple[tuple[str, ...], float]]:
    times = os.times()
    yield (), times.user + times.system
