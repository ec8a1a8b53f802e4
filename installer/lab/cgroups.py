"""A cgroup subtree per lab host, in every hierarchy the machine has mounted, v1 and v2 alike.

Without one, hosts would share /kubepods with each other and the machine. Nothing mounted is changed.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from installer.errors import NodestrapError
from installer.lab.mounts import unescape

TOP = "nodestrap-lab"
_REMOVE_SECONDS = 10.0


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup hierarchy."""

    mount: Path
    version: int
    controllers: frozenset[str]
    """v1 only; the named hierarchy of systemd counts as `name=systemd`."""

    @property
    def managed_by_systemd(self) -> bool:
        """Whether systemd, as PID 1, owns the top of this hierarchy."""
        return self.version == 2 or "name=systemd" in self.controllers


def hierarchies(mountinfo: str | None = None) -> list[Hierarchy]:
    """The hierarchies this process sees; each once, though it may be mounted several times."""
    found: dict[str, Hierarchy] = {}
    for line in (mountinfo or Path("/proc/self/mountinfo").read_text()).splitlines():
        head, _, tail = line.partition(" - ")
        kind, _, options = tail.split()[:3]
        if kind not in ("cgroup", "cgroup2"):
            continue
        device, mount = head.split()[2], Path(unescape(head.split()[4]))
        version = 2 if kind == "cgroup2" else 1
        names = set(options.split(",")) - {"rw", "ro", "xattr", "clone_children", "nsdelegate"}
        found.setdefault(device, Hierarchy(mount, version, frozenset(names if version == 1 else ())))
    return list(found.values())


def create(tag: str, host: str, *, systemd: bool) -> list[Path]:
    """Make the host's cgroups and return them; what systemd owns is left to it when it is PID 1.

    Raises NodestrapError when the machine has no writable hierarchy.
    """
    made = []
    for hierarchy in hierarchies():
        if systemd and hierarchy.managed_by_systemd:
            continue
        directory = hierarchy.mount
        for part in (TOP, tag, host):
            if hierarchy.version == 2:
                _delegate(directory)
            directory /= part
            try:
                directory.mkdir(exist_ok=True)
            except OSError as error:
                raise NodestrapError(
                    f"Cannot make the cgroup {directory}: {error.strerror}",
                    fix="Run the lab where cgroups are writable (a privileged container, a VM).",
                ) from error
            if "cpuset" in hierarchy.controllers:
                _inherit_cpuset(directory)
        made.append(directory)
    return made


def remove(tag: str, host: str | None = None) -> None:
    """End every process in the cgroups of `host` (of the whole lab without one), then remove them.

    Raises NodestrapError when a process outlives SIGKILL.
    """
    for hierarchy in hierarchies():
        top = hierarchy.mount / TOP
        tree = top / tag / host if host else top / tag
        if tree.is_dir():
            _remove_tree(tree)
        if top.is_dir():
            for parent in (top / tag, top):
                if parent.is_dir() and not any(child.is_dir() for child in parent.iterdir()):
                    parent.rmdir()


def processes_in(tree: Path) -> set[int]:
    """Pids in the cgroup `tree` and below."""
    pids: set[int] = set()
    for procs in tree.rglob("cgroup.procs"):
        with suppress(OSError):  # a threaded or vanished cgroup has none
            pids.update(int(pid) for pid in procs.read_text().split())
    return pids


def _remove_tree(tree: Path) -> None:
    deadline = time.monotonic() + _REMOVE_SECONDS
    while pids := processes_in(tree):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise NodestrapError(f"Processes {sorted(pids)} in {tree} do not end.")
        time.sleep(0.02)
    while True:
        # Deepest first: a cgroup goes only without children, and its files never need removing.
        directories = sorted(
            (path for path in [tree, *tree.rglob("*")] if path.is_dir()), key=str, reverse=True
        )
        try:
            for directory in directories:
                directory.rmdir()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise NodestrapError(
                    f"The cgroup {error.filename} cannot be removed: {error.strerror}"
                ) from error
            time.sleep(0.02)


def _inherit_cpuset(directory: Path) -> None:
    """A new v1 cpuset holds no CPU and no memory node, and takes no process until it does."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not (directory / name).read_text().strip():
            (directory / name).write_text((directory.parent / name).read_text())


def _delegate(directory: Path) -> None:
    """Offer every v2 controller to the children of `directory`; a refused one is not available there."""
    for controller in (directory / "cgroup.controllers").read_text().split():
        with suppress(OSError):
            (directory / "cgroup.subtree_control").write_text(f"+{controller}")
