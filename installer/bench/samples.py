"""What a benchmark collects: durations per named step and side, and the comparison of their medians."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

# The budget: the highest acceptable ratio of the first side's median to the second's. Names are beginnings:
# what is pulled, how many pods there are and so on follows them.
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
    "log": 1.0,
}
# The highest acceptable value of the first side itself.
LIMITS = {"RSS idle": 110.0, "RSS with": 150.0, "CPU idle": 1.0}


@dataclass(frozen=True)
class Row:
    """One line of the result, in ``unit``."""

    step: str
    ours: float
    theirs: float
    samples: int
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs if self.theirs else float("inf")

    @property
    def bar(self) -> float | None:
        """The highest acceptable ratio."""
        return _named(BARS, self.step)

    @property
    def limit(self) -> float | None:
        """The highest acceptable value of our own."""
        return _named(LIMITS, self.step)

    @property
    def met(self) -> bool | None:
        """None where the budget names nothing."""
        if self.limit is not None:
            return self.ours <= self.limit
        return None if self.bar is None else self.ratio <= self.bar


def _named(budget: Mapping[str, float], step: str) -> float | None:
    for name, value in budget.items():
        if step == name or step.startswith((f"{name} ", f"{name},")):
            return value
    return None


class Samples:
    """Measurements by side and step, in the order in which the steps first came; durations in seconds."""

    def __init__(self) -> None:
        self._values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._units: dict[str, str] = {}

    @contextmanager
    def time(self, side: int, step: str) -> Iterator[None]:
        """Time the block; an exception leaves no sample."""
        began = time.perf_counter()
        yield
        self.add(side, step, time.perf_counter() - began)

    def add(self, side: int, step: str, value: float, unit: str = "s") -> None:
        self._values[step][side].append(value)
        self._units[step] = unit

    def rows(self) -> list[Row]:
        """Medians of each step that both sides have."""
        return [
            Row(
                step,
                statistics.median(sides[0]),
                statistics.median(sides[1]),
                min(len(sides[0]), len(sides[1])),
                self._units[step],
            )
            for step, sides in self._values.items()
            if sides[0] and sides[1]
        ]
