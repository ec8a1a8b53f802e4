"""Variables with which lab hosts become a Kubernetes 1.20.2 cluster, for ``group_vars/nodes.yml``:

python -m tests.support.kubernetes_lab INVENTORY      # writes it there, building what is not cached
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support import kubernetes_build, kubernetes_directory

# What kubeadm finds on lab hosts, which share this machine's kernel: its configuration is not to be read, and
# its bridges may be beyond iptables' reach. There is no CoreDNS image to pull.
_IGNORED = ["ImagePull", "SystemVerification", "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables"]


def variables() -> dict[str, Any]:
    """They name the directory with all artifacts, which is built where it is not cached."""
    registration = {"nodeRegistration": {"ignorePreflightErrors": _IGNORED}}
    return {
        "kubernetes_version": kubernetes_build.VERSION,
        "kubernetes_source": "directory",
        "artifact_directory": str(kubernetes_directory.build()),
        "kubernetes_skip_phases": ["addon/coredns"],
        "kubernetes_leave_conntrack": True,
        "kubeadm_overrides": {"InitConfiguration": registration, "JoinConfiguration": registration},
    }


def write(inventory: Path, **changes: Any) -> None:
    """Put them, and ``changes`` to them, beside a lab's hosts."""
    path = inventory / "group_vars" / "nodes.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(variables() | changes, sort_keys=False), encoding="utf-8")


def readiness(nodes: str) -> dict[str, str]:
    """What each node's condition Ready says: True, False or Unknown; from ``kubectl get nodes -o json``."""
    return {
        node["metadata"]["name"]: condition["status"]
        for node in json.loads(nodes)["items"]
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]))
