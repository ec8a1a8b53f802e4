"""The kubelet cannot reach the API server."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import KUBELET, Evidence
from installer.doctor.finding import Finding, cause

_SAID = r"dial tcp \S+: (connect: connection refused|i/o timeout|connect: no route to host)|no such host"


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    line = evidence.line(KUBELET, _SAID)
    if line is None or "6443" in {str(port) for port in evidence.listening}:
        return
    lines = evidence.lines(KUBELET)
    if not any(word in line for line in lines[-40:] for word in ("dial tcp", "no such host")):
        return  # it was so, and is no longer
    yield cause(
        "the kubelet cannot reach the API server",
        line,
        "is a control plane up, the endpoint's address right, and its port open in every firewall between?",
    )
