"""The kubelet refuses to run with swap on."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import KUBELET, Evidence
from installer.doctor.finding import Finding, cause


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    line = evidence.line(KUBELET, r"running with swap on is not supported")
    if evidence.swaps and line:
        yield cause(
            f"swap is on ({', '.join(evidence.swaps)}) and the kubelet refuses to run with it",
            line,
            "swapoff -a and take it out of /etc/fstab (os_prepare_swap: disable), or set failSwapOn: false",
        )
