"""What the daemon counts of itself, in Prometheus' text format (version 0.0.4).

Counting costs a dictionary look-up or two, so it always happens; whether anybody may read it is the
configuration's to say (``server/metrics_endpoint.py``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

# seconds; the fast lists and the slow pulls of one daemon have to fit in
_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
)
_Key = tuple[str, ...]


class Counter:
    """Grows; one number for each combination of label values."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._values: dict[_Key, float] = {}

    def add(self, *values: str, amount: float = 1) -> None:
        self._values[values] = self._values.get(values, 0) + amount

    def value(self, *values: str) -> float:
        return self._values.get(values, 0)

    def lines(self) -> Iterator[str]:
        for key, value in self._values.items():
            yield f"{self.name}{_braces(self.labels, key)} {_number(value)}"


class Histogram:
    """Durations in seconds."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._counts: dict[_Key, list[int]] = {}
        self._sums: dict[_Key, float] = {}

    def observe(self, seconds: float, *values: str) -> None:
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(_BUCKETS) + 1)
            self._sums[values] = 0.0
        counts[bisect_left(_BUCKETS, seconds)] += 1
        self._sums[values] += seconds

    def lines(self) -> Iterator[str]:
        names = (*self.labels, "le")
        for key, counts in self._counts.items():
            total = 0
            for bound, count in zip((*map(_number, _BUCKETS), "+Inf"), counts, strict=True):
                total += count
                yield f"{self.name}_bucket{_braces(names, (*key, bound))} {total}"
            yield f"{self.name}_sum{_braces(self.labels, key)} {_number(self._sums[key])}"
            yield f"{self.name}_count{_braces(self.labels, key)} {total}"


class Gauge:
    """Read when it is asked for: ``read`` yields label values and the number."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        read: Callable[[], Iterable[tuple[_Key, float]]],
        kind: str = "gauge",
    ) -> None:
        self.name, self.text, self.labels, self.kind = name, text, tuple(labels), kind
        self._read = read

    def lines(self) -> Iterator[str]:
        for key, value in self._read():
            yield f"{self.name}{_braces(self.labels, key)} {_number(value)}"


Instrument = Counter | Histogram | Gauge

RPCS = Counter("pycri_rpc_total", "CRI requests answered, by gRPC status.", ("method", "code"))
RPC_SECONDS = Histogram("pycri_rpc_duration_seconds", "Time to answer a CRI request.", ("method",))
CNI = Counter("pycri_cni_operations_total", "Calls of CNI plugins.", ("verb", "plugin", "result"))
CNI_SECONDS = Histogram("pycri_cni_operation_duration_seconds", "Time of a CNI plugin.", ("verb", "plugin"))
PULLS = Counter("pycri_image_pulls_total", "Image pulls that have ended.", ("result",))
PULL_SECONDS = Histogram("pycri_image_pull_duration_seconds", "Time of an image pull.")
PULL_BYTES = Counter("pycri_image_pull_bytes_total", "Bytes of layers received from registries.")
COUNTED: tuple[Instrument, ...] = (RPCS, RPC_SECONDS, CNI, CNI_SECONDS, PULLS, PULL_SECONDS, PULL_BYTES)


def render(instruments: Iterable[Instrument]) -> str:
    """The page a scraper gets."""
    lines = []
    for instrument in instruments:
        lines += [
            f"# HELP {instrument.name} {instrument.text}",
            f"# TYPE {instrument.name} {instrument.kind}",
        ]
        lines += instrument.lines()
    return "\n".join(lines) + "\n"


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    return (
        "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)) + "}"
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
