"""Another static pod of the control plane is dead."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence, log_line
from installer.doctor.finding import Finding, cause


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        container = evidence.container(name) if name in evidence.manifests else None
        if container is not None and container.state == "exited":
            yield cause(
                f"{name} is dead (attempt {container.attempt}, exit code {container.exit_code})",
                log_line(container),
                f"cure what its log says; its settings are in /etc/kubernetes/manifests/{name}.yaml",
            )
