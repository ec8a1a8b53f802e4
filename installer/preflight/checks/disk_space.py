"""Room for images, containers and unpacked releases."""

from __future__ import annotations

from collections.abc import Iterator

from installer.cluster.facts import DiskSpace
from installer.preflight.finding import Finding, Subject, error, warning

_GIB = 1 << 30
# (directory, needed for a node to work at all, comfortable), bytes
_ROOM = (("/var/lib", 1 * _GIB, 10 * _GIB), ("/opt", _GIB // 4, _GIB // 2), ("/tmp", _GIB // 32, _GIB // 16))
_MIN_INODES = 20_000


def check(subject: Subject) -> Iterator[Finding]:
    disks = subject.facts.disks
    judged: set[int] = set()
    for directory, needed, comfortable in _ROOM:
        for place in (f"{directory}/containerd", directory):
            disk = disks.get(place)
            if disk is None or disk.device in judged:
                continue
            judged.add(disk.device)
            yield from _judge(place, disk, needed, comfortable)


def _judge(place: str, disk: DiskSpace, needed: int, comfortable: int) -> Iterator[Finding]:
    fix = f"free some, or mount a larger disk at {place}"
    if disk.free_bytes < needed:
        yield error(f"{place} has {_size(disk.free_bytes)} free; {_size(needed)} are needed", fix)
    elif disk.free_bytes < comfortable:
        yield warning(f"{place} has {_size(disk.free_bytes)} free; images fill that soon", fix)
    if disk.free_inodes is not None and disk.free_inodes < _MIN_INODES:
        yield error(f"{place} has {disk.free_inodes} inodes free; images need many", fix)


def _size(count: int) -> str:
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / (1 << 20):.0f} MiB"
