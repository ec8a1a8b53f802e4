"""No runtime is set up at all: not sick, just bare."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence
from installer.doctor.finding import Finding, warning


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    if not evidence.units and not evidence.failed:
        yield warning(
            "nothing of a node is on this host",
            "systemctl: no containerd, pycri or kubelet",
            "nodestrap up makes it one",
        )
