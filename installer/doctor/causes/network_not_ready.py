"""The pod network is not set up: the node stays NotReady."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence, quoted
from installer.doctor.finding import Finding, cause

_AGENT = "nodestrap-pod-network.service"  # writes the configuration of the routed network
_FAILED = r"^(?!.*(Failed with result|Main process exited)).*(fail|error|cannot|refused|denied)"


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    conditions = evidence.endpoint.conditions if evidence.endpoint else {}
    ready, reason, message = conditions.get("NetworkReady", (True, "", ""))
    if not ready:
        agent = evidence.units.get(_AGENT)
        said = evidence.line(_AGENT, _FAILED) if agent is not None and not agent.steady else None
        yield cause(
            "the pod network is not ready" + (": its agent does not run" if said else ""),
            said or f"CRI Status: NetworkReady is false: {quoted(reason, message)}",
            "put a CNI configuration into /etc/cni/net.d, its plugins into /opt/cni/bin; nodestrap up does",
        )
