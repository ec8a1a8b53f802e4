"""Network counters of a pod: /proc/<pid>/net/dev of its pause process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pycri.cni.invoke import INTERFACE


@dataclass(frozen=True)
class Interface:
    """Counters since the interface was made."""

    name: str
    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


def read(pid: int) -> list[Interface]:
    """The interfaces but ``lo``, the pod's own first. Raises OSError: the process is gone."""
    found = parse(Path(f"/proc/{pid}/net/dev").read_text())
    return sorted(found, key=lambda interface: interface.name != INTERFACE)


def parse(text: str) -> list[Interface]:
    """The table of net/dev (proc(5)), without ``lo``."""
    found = []
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        values = [int(word) for word in rest.split()]
        if name.strip() != "lo" and len(values) >= 16:
            found.append(Interface(name.strip(), *values[0:4], *values[8:12]))
    return found
