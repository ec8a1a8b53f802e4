"""CPU use in percent of a core, from two readings some seconds apart."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

_Stats = TypeVar("_Stats")


@dataclass(frozen=True)
class Usage:
    """One reading. ``taken`` and ``cpu`` in ns, ``memory`` in bytes; ``percent`` since the reading before."""

    id: str
    taken: int
    cpu: int
    memory: int
    percent: float = 0.0


def add_sample(parser: ArgumentParser) -> None:
    """``--seconds``."""
    parser.add_argument("-s", "--seconds", type=int, default=1, metavar="N", help="between two readings")


def sampled(
    read: Callable[[], Iterable[_Stats]], usage: Callable[[_Stats], Usage], seconds: int
) -> list[tuple[_Stats, Usage]]:
    """The second reading, of what was there at the first one too.

    A runtime that reads no more often than that may repeat itself; then nothing is known, and it is 0 %.
    """
    before = {found.id: found for found in map(usage, read())}
    time.sleep(seconds)
    result = []
    for stats in read():
        now = usage(stats)
        earlier = before.get(now.id)
        if earlier is not None:
            elapsed = now.taken - earlier.taken
            percent = (now.cpu - earlier.cpu) / elapsed * 100 if elapsed > 0 and now.cpu else 0.0
            result.append((stats, replace(now, percent=percent)))
    return result
