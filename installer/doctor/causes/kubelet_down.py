"""The kubelet is not running, for a reason that no other cause knows."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import KUBELET, Evidence, quoted
from installer.doctor.finding import Finding, cause
from installer.verify.node_files import KUBELET as CONFIG

_FATAL = r"^F\d{4} |command failed|panic: "
_WORTH_READING = r"^E\d{4} |failed|fatal|error"


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    unit = evidence.units.get(KUBELET)
    if unit is None or CONFIG not in evidence.files.contents:
        return  # it is not set up to run yet
    if unit.active == "active" and (unit.steady or unit.restarts < 3):
        return
    lines = evidence.journals.get(KUBELET, ())
    said = (
        evidence.line(KUBELET, _FATAL)
        or evidence.line(KUBELET, _WORTH_READING)
        or (quoted(KUBELET, lines[-1][1]) if lines else None)
    )
    yield cause(
        f"the kubelet is not running ({unit.active})"
        if unit.restarts < 3
        else f"the kubelet does not stay up ({unit.restarts} restarts)",
        f"systemctl: kubelet.service is {unit.active}/{unit.sub}" + (f"; {said}" if said else ""),
        "cure what it says and systemctl restart kubelet; journalctl -u kubelet has all of it",
    )
