"""The pod network is not set up: the node stays NotReady."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence
from installer.doctor.finding import Finding, cause


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    conditions = evidence.endpoint.conditions if evidence.endpoint else {}
    ready, reason, message = conditions.get("NetworkReady", (True, "", ""))
    if not ready:
        yield cause(
            "the pod network is not ready",
            f"CRI Status: NetworkReady is false: {reason}: {message}",
            "put a CNI configuration into /etc/cni/net.d, its plugins into /opt/cni/bin; nodestrap up does",
        )
