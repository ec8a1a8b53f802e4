"""The cgroup that a run's pods live in, spelled for the endpoint's driver; and its removal.

The kubelet makes a cgroup for each pod and names it in the request; runtimes count on that (pod stats are
read there). A verify run has one for all its pods.
"""

from __future__ import annotations

import json

from installer.verify.client import CriClient, CriError
from installer.verify.host import Host
from pycri._generated import cri_pb2

_PREFIX = "nodestrapverify"  # no dash: in a slice's name it means nesting


def spell(cri: CriClient, run_id: str) -> str:
    """``LinuxPodSandboxConfig.cgroup_parent``: a slice for systemd, else a path. Raises CriError."""
    name = f"{_PREFIX}{run_id}"
    return f"{name}.slice" if _systemd(cri) else f"/{name}"


def remove(host: Host, parent: str) -> None:
    """Remove a run's cgroup where it is left over, in every hierarchy. Raises HostError."""
    _remove(host, parent.strip("/"))


def remove_all(host: Host) -> None:
    """Remove every run's. Raises HostError."""
    _remove(host, f"{_PREFIX}*")


def _remove(host: Host, pattern: str) -> None:
    # A slice is systemd's to remove; what is not its own, rmdir takes.
    host.run(
        f"if [ -d /run/systemd/system ]; then systemctl stop '{pattern.removesuffix('.slice')}.slice'; fi\n"
        f"find /sys/fs/cgroup -depth -type d -path '*/{pattern}*' -exec rmdir {{}} + 2>/dev/null\n"
        f"left=$(find /sys/fs/cgroup -type d -path '*/{pattern}*' 2>/dev/null | head -3)\n"
        'if [ -n "$left" ]; then echo "cgroups in use: $left" >&2; exit 1; fi'
    )


def _systemd(cri: CriClient) -> bool:
    try:
        answer = cri.runtime.RuntimeConfig(cri_pb2.RuntimeConfigRequest())
    except CriError as error:
        if error.code != "UNIMPLEMENTED":
            raise
    else:
        return bool(answer.linux.cgroup_driver == cri_pb2.SYSTEMD)
    # Before CRI 0.28 nothing asks for it; containerd's verbose Status shows its configuration.
    info = cri.runtime.Status(cri_pb2.StatusRequest(verbose=True)).info
    try:
        runtimes = json.loads(info.get("config", ""))["containerd"]["runtimes"]
        return bool(runtimes["runc"]["options"]["SystemdCgroup"])
    except (ValueError, KeyError, TypeError):
        return False
