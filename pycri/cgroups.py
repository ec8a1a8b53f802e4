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


def oom_kills(cgroups_path: str) -> int:
    """How often the kernel killed for memory in a container's cgroup; 0 also when it is gone already.

    ``cgroups_path`` is what ``path`` gave, in either driver's form.
    """
    below = _below_root(cgroups_path)
    file = ROOT / below / "memory.events" if unified() else ROOT / "memory" / below / "memory.oom_control"
    try:
        rows = (line.split() for line in file.read_text().splitlines())
        return next((int(row[1]) for row in rows if row[0] == "oom_kill"), 0)
    except (OSError, ValueError, IndexError):
        return 0


def _below_root(cgroups_path: str) -> str:
    """The directory of a cgroupsPath. A slice of systemd names its parents: a-b.slice is in a.slice."""
    if ":" not in cgroups_path:
        return cgroups_path.lstrip("/")
    slice_name, prefix, name = cgroups_path.split(":", 2)
    words = slice_name.removesuffix(".slice").split("-")
    parents = ["-".join(words[: count + 1]) + ".slice" for count in range(len(words))]
    return "/".join([*parents, f"{prefix}-{name}.scope"])


def _has(controller: str) -> bool:
    if unified():
        return controller in (ROOT / "cgroup.controllers").read_text().split()
    return (ROOT / controller).is_dir()
