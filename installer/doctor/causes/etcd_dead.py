"""This control plane's etcd is dead, and the API server with it."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence, log_line
from installer.doctor.finding import Finding, cause


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    if "etcd" not in evidence.manifests:
        return
    etcd = evidence.container("etcd")
    if etcd is None or etcd.state != "exited":
        return
    yield cause(
        f"etcd is dead (attempt {etcd.attempt}, exit code {etcd.exit_code})",
        log_line(etcd),
        "cure what its log says, then the kubelet starts it again; where the data directory is lost, restore "
        "/var/lib/etcd from a snapshot, or join this control plane anew while others live",
    )
