"""Debian root file systems for lab hosts: made once by debootstrap, cached by all that goes into them."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from installer.errors import NodestrapError
from installer.lab import paths
from installer.lab.apt import access_for
from installer.lab.lock import exclusive
from installer.lab.standard_images import debian_architecture
from installer.lab.tools import run

if TYPE_CHECKING:
    from installer.lab.progress import Progress

# What a minimal Debian server install has, and Ansible needs. No runtime, no Kubernetes: hosts start bare.
BASE = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt"),
    *("iproute2", "iptables", "procps", "kmod", "ca-certificates"),
)
# What the roles install: downloaded into apt's cache, so that a run waits for no mirror, but not installed.
PREFETCHED = (
    *("containerd", "runc", "containernetworking-plugins", "conntrack", "socat"),
    *("ebtables", "ethtool", "ipset", "isal"),
)
_SCRIPTS = ("make-writable", "finish-root", "nodestrap-lab.service")
_UNUSED_DAYS = 14
_BUILD_SECONDS = 1800.0


@dataclass(frozen=True)
class Recipe:
    """A root file system: Debian `suite`, the base packages and `extra` ones."""

    suite: str
    extra: tuple[str, ...] = ()


def cached_root(recipe: Recipe, progress: Progress) -> Path:
    """The root file system of `recipe`, made first when the cache has none for its inputs. Never write to it.

    Raises NodestrapError with the tool's last words and its log when it cannot be made.
    """
    access = access_for(recipe.suite)
    scripts = {name: (paths.templates() / name).read_bytes() for name in _SCRIPTS}
    inputs = (recipe, BASE, PREFETCHED, debian_architecture(), access.key, sorted(scripts.items()))
    key = hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]
    root = paths.cache_root() / "roots" / f"{recipe.suite}-{key}"
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with exclusive(root.with_suffix(".lock"), f"the root file system {root.name}", wait=True):
            if not root.is_dir():
                with progress.step(f"root file system of Debian {recipe.suite}", announce=True):
                    _build(recipe, root)
        _forget_unused(root.parent)
    os.utime(root)
    return root


def _build(recipe: Recipe, root: Path) -> None:
    partial, log = root.with_suffix(".partial"), root.with_suffix(".log")
    shutil.rmtree(partial, ignore_errors=True)
    debs = paths.cache_root() / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    access = access_for(recipe.suite)
    include = ",".join((*BASE, *recipe.extra))
    debootstrap = ["debootstrap", "--variant=minbase", f"--include={include}", f"--cache-dir={debs}"]
    _logged(log, ["env", "INITRD=No", *debootstrap, recipe.suite, str(partial), access.mirror])
    access.install(partial)
    own = partial / "usr/local/lib/nodestrap-lab"
    own.mkdir(parents=True)
    for name in _SCRIPTS[:2]:
        shutil.copy(paths.templates() / name, own / name)
    shutil.copy(paths.templates() / _SCRIPTS[2], partial / "etc/systemd/system")
    shutil.rmtree(partial / "var/cache/apt/archives")  # debootstrap's own downloads; `debs` keeps them
    (partial / "var/cache/apt/archives/partial").mkdir(parents=True)
    script = "/usr/local/lib/nodestrap-lab/finish-root"
    # No initramfs: a VM gets a small one of the lab's own (initramfs.py).
    _logged(log, ["env", "INITRD=No", "chroot", str(partial), "/bin/sh", script, *PREFETCHED])
    partial.rename(root)
    log.unlink()


def _logged(log: Path, argv: list[str]) -> None:
    """Run `argv` in namespaces of its own: what it mounts or leaves running goes with it, killed or not."""
    inner = 'log=$1; shift; exec "$@" >>"$log" 2>&1'
    isolated = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        inner,
        "sh",
    ]
    try:
        run(*isolated, str(log), *argv, timeout=_BUILD_SECONDS)
    except NodestrapError as error:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        raise NodestrapError(
            f"{argv[0]} could not make a lab host's root file system: {' | '.join(lines[-4:]) or error}",
            fix=f"See {log}. Can this machine install packages itself (apt-get update)?",
        ) from error


def _forget_unused(roots: Path) -> None:
    """Remove roots that no lab has used for a while and none has mounted."""
    mounted = Path("/proc/self/mountinfo").read_text()
    for root in [entry for entry in roots.iterdir() if entry.is_dir()]:
        old = time.time() - root.stat().st_mtime > _UNUSED_DAYS * 86400
        if old and str(root) not in mounted:
            shutil.rmtree(root)
