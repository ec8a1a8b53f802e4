"""A kubelet from 1.35 on refuses cgroup v1 unless it is told otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import KUBELET, Evidence
from installer.doctor.finding import Finding, cause


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    line = evidence.line(KUBELET, r"(configured to not run on|not supported on).*cgroup v1")
    if evidence.cgroup_version == 1 and line:
        yield cause(
            "the host has cgroup v1, which this kubelet refuses",
            line,
            "boot with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false in its config.yaml",
        )
