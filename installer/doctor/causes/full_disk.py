"""A file system that the node writes to is full."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence, Filesystem, quoted
from installer.doctor.finding import Finding, cause, warning

_MIB = 1 << 20
_SMALL = 32 * _MIB
_PRESSURE = 0.10  # the kubelet's nodefs.available: below it pods are evicted
_INODES = 100


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    for directory, system in evidence.filesystems.items():
        if system.free_bytes < min(_SMALL, system.size_bytes * 0.02):
            yield cause(
                f"the file system of {directory} is full",
                _said(evidence) or f"statvfs: {directory}: {_free(system)}",
                f"free some: du -xh {directory} | sort -h | tail; journalctl --vacuum-size=100M; "
                "or give it a larger disk",
            )
        elif system.free_inodes is not None and system.free_inodes < _INODES:
            yield cause(
                f"the file system of {directory} has no inodes left",
                _said(evidence) or f"statvfs: {directory}: {system.free_inodes} inodes free",
                f"remove files: du -x --inodes {directory} | sort -n | tail",
            )
        elif system.free_bytes < system.size_bytes * _PRESSURE and not directory.startswith(("/run", "/tmp")):
            yield warning(
                f"the file system of {directory} fills up: the kubelet evicts pods below 10 % free",
                f"statvfs: {directory}: {_free(system)}",
                "free some, or give it a larger disk",
            )


def _free(system: Filesystem) -> str:
    return f"{system.free_bytes // _MIB} of {system.size_bytes // _MIB} MiB free"


def _said(evidence: Evidence) -> str | None:
    """A service's own word. The same errno for inotify means something else (cause inotify)."""
    for unit in evidence.journals:
        for text in reversed(evidence.lines(unit)):
            if "no space left on device" in text.lower() and "inotify" not in text.lower():
                return quoted(unit, text)
    return None
