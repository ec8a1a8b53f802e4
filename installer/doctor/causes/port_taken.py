"""Somebody else listens on a port that the node needs."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence, log_line
from installer.doctor.finding import Finding, cause

_NODE = {10250: "kubelet", 10248: "kubelet"}
_CONTROL_PLANE = {
    6443: "kube-apiserver",
    2379: "etcd",
    2380: "etcd",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    control_plane = evidence.is_control_plane or evidence.runs_control_plane
    for port, owner in (_NODE | (_CONTROL_PLANE if control_plane else {})).items():
        holder = evidence.listening.get(port)
        if holder is None or holder == owner[:15]:  # the kernel cuts a process's name at 15 letters
            continue
        yield cause(
            f"TCP port {port} is taken by {holder}; {owner} needs it",
            _complaint(evidence, owner, port) or f"/proc/net/tcp: {holder} listens on {port}",
            f"stop {holder} or move it to another port (ss -tlnp 'sport = {port}' shows it)",
        )


def _complaint(evidence: Evidence, owner: str, port: int) -> str | None:
    pattern = rf":{port}\b.*address already in use"
    if owner == "kubelet":
        return evidence.line("kubelet.service", pattern)
    dead = evidence.container(owner)
    if dead is not None and any("address already in use" in line for line in dead.log):
        return log_line(dead, "address already in use")
    return None
