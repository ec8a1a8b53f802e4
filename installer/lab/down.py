"""`nodestrap lab down`: all that a lab has on this machine goes, whatever crashed before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from installer.errors import NodestrapError
from installer.lab import cgroups, inventory, network, paths, processes, state
from installer.lab.lock import exclusive
from installer.lab.mounts import mounts_below, unmount_below

if TYPE_CHECKING:
    from installer.lab.progress import Progress


def down(name: str, progress: Progress) -> bool:
    """Remove the lab called `name`; False when there was none.

    Raises LockedError when another command is at work on it.
    """
    state.check_name(name)
    if not state.directory_of(name).exists():
        return False
    with exclusive(lock_path(name), f"lab {name!r}"), progress.step(f"lab {name} removed"):
        tear_down(name)
    return True


def tear_down(name: str) -> None:
    """The work of `down`, for a caller that holds the lab's lock. Needs no readable lab.json."""
    directory = state.directory_of(name)
    tag = state.tag_of(directory)
    for identity, argv in processes.find(state.MARKER, str(directory)):
        if not processes.stop(identity, signals=((9, 10.0),)):
            raise NodestrapError(f"{Path(argv[0]).name} (process {identity.pid}) does not end.")
    cgroups.remove(tag)
    _forget_machines(tag)
    unmount_below(directory)
    network.remove(tag, f"nslab-{tag}")
    inventory.remove(_inventory_of(name))
    if mounts_below(directory):  # never rmtree through a mount
        raise NodestrapError(f"{directory} still has mounts; it is left as it is.", fix="Run lab down again.")
    shutil.rmtree(directory)


def lock_path(name: str) -> Path:
    """The lab's lock file, outside of the directory that `down` removes."""
    return paths.state_root() / f"{name}.lock"


def _inventory_of(name: str) -> Path:
    try:
        lab = state.load(name)
    except NodestrapError:
        lab = None
    return lab.inventory if lab else paths.inventory_directory(name)


def _forget_machines(tag: str) -> None:
    """What nspawn leaves in /run when it is killed, and its units where systemd is PID 1."""
    for directory in Path("/run/systemd/nspawn/propagate").glob(f"nslab-{tag}-*"):
        directory.rmdir()
    if Path("/run/systemd/system").is_dir() and shutil.which("systemctl"):
        from installer.lab.tools import run

        run("systemctl", "stop", f"nslab-{tag}-*.service")
