"""All causes, in the order in which one explains the next: the first that is found is ranked first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from installer.doctor.causes import (
    api_unreachable,
    certificate,
    cgroup_driver,
    cgroup_v1,
    clock_skew,
    etcd_dead,
    expired_token,
    full_disk,
    inotify,
    kubelet_down,
    network_not_ready,
    nothing_here,
    old_runc,
    pause_image,
    port_taken,
    read_only,
    runtime_down,
    static_pod_dead,
    swap,
    wrong_socket,
)
from installer.doctor.evidence import Evidence
from installer.doctor.finding import Diagnose, Finding, Weight

# A full disk kills etcd, containerd and logs alike; a wrong clock ends certificates; a dead runtime ends all
# containers; a dead etcd ends the API server, which ends what the kubelet
# can reach, and with it the pod network, whose agent learns its addresses there.
CAUSES: Final[dict[str, Diagnose]] = {
    "full-disk": full_disk.diagnose,
    "read-only": read_only.diagnose,
    "clock-skew": clock_skew.diagnose,
    "inotify": inotify.diagnose,
    "port-taken": port_taken.diagnose,
    "wrong-socket": wrong_socket.diagnose,
    "runtime-down": runtime_down.diagnose,
    "cgroup-driver": cgroup_driver.diagnose,
    "cgroup-v1": cgroup_v1.diagnose,
    "swap": swap.diagnose,
    "certificate": certificate.diagnose,
    "pause-image": pause_image.diagnose,
    "expired-token": expired_token.diagnose,
    "etcd-dead": etcd_dead.diagnose,
    "static-pod-dead": static_pod_dead.diagnose,
    "api-unreachable": api_unreachable.diagnose,
    "network": network_not_ready.diagnose,
    "kubelet-down": kubelet_down.diagnose,
    "old-runc": old_runc.diagnose,
    "nothing-here": nothing_here.diagnose,
}


@dataclass(frozen=True)
class Ranked:
    """A finding and the cause that it was found by."""

    name: str
    finding: Finding

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "cause": self.name,
            "weight": self.finding.weight.value,
            "reason": self.finding.reason,
            "evidence": self.finding.evidence,
            "fix": self.finding.fix,
        }


def diagnose(evidence: Evidence) -> list[Ranked]:
    """What the host is sick of, the likeliest first; warnings behind. A healthy host has no causes."""
    found = [Ranked(name, finding) for name, cause in CAUSES.items() for finding in cause(evidence)]
    return sorted(found, key=lambda ranked: ranked.finding.weight is Weight.WARNING)  # stable: CAUSES' order
