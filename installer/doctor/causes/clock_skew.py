"""The clock is wrong: certificates, tokens and leases are judged by it."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import KUBELET, Evidence
from installer.doctor.finding import Finding, cause, warning

_TOLERATED = 2.0  # seconds
_BROKEN = 30.0  # leases are 15 s, and a fresh certificate may be from the future
_FIX = "set it and keep it: timedatectl set-ntp true (systemd-timesyncd or chrony)"


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    off = abs(evidence.clock_ahead) - evidence.clock_error
    if off <= _TOLERATED:
        return
    way = "ahead of" if evidence.clock_ahead > 0 else "behind"
    reason = f"its clock is {abs(evidence.clock_ahead):.0f} s {way} {evidence.clock_reference}"
    measured = f"measured over SSH: {evidence.clock_ahead:+.1f} s, give or take {evidence.clock_error:.1f} s"
    if off <= _BROKEN:
        yield warning(reason, measured, _FIX)
    else:
        yield cause(reason, evidence.line(KUBELET, r"expired or is not yet valid") or measured, _FIX)
