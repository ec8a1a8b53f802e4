"""Linux capabilities of a container (CRI ``Capability``, OCI ``process.capabilities``)."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri

# In the kernel's order: the position is the number (linux/capability.h).
_ORDER = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
    PERFMON BPF CHECKPOINT_RESTORE
"""
NAMES = tuple(f"CAP_{name}" for name in _ORDER.split())
# What containers have had by default since Docker; the kubelet counts on it.
_GIVEN = """
    CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT
    KILL AUDIT_WRITE
"""
DEFAULT = tuple(f"CAP_{name}" for name in _GIVEN.split())


def of_container(wanted: cri.Capability, privileged: bool) -> dict[str, list[str]]:
    """The OCI capability sets. Raises InvalidArgument: unknown name."""
    add, drop = _names(wanted.add_capabilities), _names(wanted.drop_capabilities)
    ambient = _names(wanted.add_ambient_capabilities)
    if privileged:
        chosen = set(available())
    else:
        chosen = set(available()) & set(DEFAULT)
        if "CAP_ALL" in add:
            chosen = set(available())
        if "CAP_ALL" in drop:
            chosen = set()
        chosen |= (add | ambient) - {"CAP_ALL"}
        chosen -= drop
    return sets(chosen, available() if "CAP_ALL" in ambient else ambient & chosen)


def sets(chosen: Any, ambient: Any = ()) -> dict[str, list[str]]:
    """OCI sets: inheritable is ambient's only, else it would survive exec of files (CVE-2022-24769)."""
    given = [name for name in NAMES if name in chosen]
    found = {"bounding": given, "effective": given, "permitted": given}
    raised = [name for name in NAMES if name in ambient]
    if raised:
        found |= {"inheritable": raised, "ambient": raised}
    return found


@functools.cache
def available() -> tuple[str, ...]:
    """What this process may give away: its bounding set, as far as names are known."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            mask = int(line.split()[1], 16)
            return tuple(name for number, name in enumerate(NAMES) if mask >> number & 1)
    return NAMES


def _names(given: Any) -> set[str]:
    found = set()
    for text in given:
        name = text.upper()
        name = name if name.startswith("CAP_") else f"CAP_{name}"
        if name != "CAP_ALL" and name not in NAMES:
            raise errors.InvalidArgument(f'"{text}" is not a Linux capability')
        found.add(name)
    return found
