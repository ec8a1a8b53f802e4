"""What a benchmark collects: durations per named step and side, and the comparison of their medians."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# The budget: the highest acceptable ratio of the first side's median to the second's.
BARS = {
    "RunPodSandbox": 0.65,
    "StopPodSandbox": 0.75,
    "Create+StartContainer": 1.0,
    "ExecSync": 1.1,
    "PullImage": 1.0,
    "all pods running": 0.85,
    "ListContainers": 0.5,
    "ListPodSandbox": 0.5,
    "ListContainerStats": 0.3,
    "log 100 MB": 1.0,
}


@dataclass(frozen=True)
class Row:
    """One line of the result; times in seconds."""

    step: str
    ours: float
    theirs: float
    samples: int

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs if self.theirs else float("inf")

    @property
    def bar(self) -> float | None:
        return BARS.get(self.step)

    @property
    def met(self) -> bool | None:
        """None where the budget names no bar."""
        return None if self.bar is None else self.ratio <= self.bar


class Samples:
    """Durations in seconds by side and step, in the order in which the steps first came."""

    def __init__(self) -> None:
        self._times: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    @contextmanager
    def time(self, side: int, step: str) -> Iterator[None]:
        """Time the block; an exception leaves no sample."""
        began = time.perf_counter()
        yield
        self.add(side, step, time.perf_counter() - began)

    def add(self, side: int, step: str, seconds: float) -> None:
        self._times[step][side].append(seconds)

    def rows(self) -> list[Row]:
        """Medians of each step that both sides have."""
        return [
            Row(
                step,
                statistics.median(sides[0]),
                statistics.median(sides[1]),
                min(len(sides[0]), len(sides[1])),
            )
            for step, sides in self._times.items()
            if sides[0] and sides[1]
        ]
