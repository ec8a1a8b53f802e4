"""containerd or pycri is not running."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence, quoted
from installer.doctor.finding import Finding, cause

_UNITS = ("containerd.service", "pycri.service", "pycri-io.service")
_WORTH_READING = r"error|fatal|failed|cannot|traceback|panic|level=err|not valid"


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    for name in _UNITS:
        unit = evidence.units.get(name)
        if unit is None or (unit.active == "active" and (unit.steady or unit.restarts < 3)):
            continue
        state = f"{unit.active}/{unit.sub}, restarted {unit.restarts} times"
        lines = evidence.journals.get(name, ())
        said = evidence.line(name, _WORTH_READING) or (quoted(name, lines[-1][1]) if lines else None)
        yield cause(
            f"{name} is not running ({unit.active})"
            if unit.restarts < 3
            else f"{name} does not stay up ({unit.restarts} restarts)",
            f"systemctl: {name} is {state}" + (f"; {said}" if said else ""),
            f"systemctl start {name}; journalctl -u {name} says why it ended",
        )
