"""The host's cgroups: version, controllers, driver, and where a container's group is."""

from __future__ import annotations

import functools
from pathlib import Path

from pycri import errors

ROOT = Path("/sys/fs/cgroup")
_PREFIX = "cri-containerd"  # cAdvisor and log shippers know scopes by this name


@functools.cache
def unified() -> bool:
    """Whether the host has cgroup v2 only."""
    return (ROOT / "cgroup.controllers").exists()


@functools.cache
def has_hugetlb() -> bool:
    return _has("hugetlb")


@functools.cache
def has_swap() -> bool:
    """Whether swap is accounted."""
    if not unified():
        return (ROOT / "memory/memory.memsw.limit_in_bytes").exists()
    own = Path("/proc/self/cgroup").read_text().strip().partition("::")[2].lstrip("/")
    return (ROOT / own / "memory.swap.max").exists() or Path("/proc/swaps").exists()


def driver(setting: str) -> str:
    """``systemd`` or ``cgroupfs``; ``auto`` is systemd where it runs the host and cgroups are v2."""
    if setting != "auto":
        return setting
    return "systemd" if unified() and Path("/run/systemd/system").is_dir() else "cgroupfs"


def path(driver_name: str, parent: str, container_id: str) -> str:
    """OCI ``linux.cgroupsPath`` below the CRI's ``parent``. Raises InvalidArgument: another driver's form."""
    if driver_name == "systemd":
        name = parent.rstrip("/").rpartition("/")[2] or "system.slice"
        if not name.endswith(".slice"):
            raise errors.InvalidArgument(
                f'cgroup parent "{parent}" is no systemd slice, but pycri uses the systemd cgroup driver: '
                "set the kubelet's cgroupDriver to systemd, or pycri's cgroups.driver to cgroupfs"
            )
        return f"{name}:{_PREFIX}:{container_id}"
    if parent.endswith(".slice"):
        raise errors.InvalidArgument(
            f'cgroup parent "{parent}" is a systemd slice, but pycri uses the cgroupfs driver: '
            "set the kubelet's cgroupDriver to cgroupfs, or pycri's cgroups.driver to systemd"
        )
    if ".." in parent.split("/"):
        raise errors.InvalidArgument(f'cgroup parent "{parent}" may not contain ".."')
    return f"/{(parent or 'k8s.io').strip('/')}/{container_id}"


def _has(controller: str) -> bool:
    if unified():
        return controller in (ROOT / "cgroup.controllers").read_text().split()
    return (ROOT / controller).is_dir()
