"""A file system that the node writes to has become read-only, as the kernel does after an I/O error."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence
from installer.doctor.finding import Finding, cause


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    for directory, system in evidence.filesystems.items():
        if system.read_only and directory.startswith(("/var", "/run", "/tmp")):
            yield cause(
                f"the file system of {directory} is read-only",
                f"statvfs: {directory} is mounted ro",
                f"look for I/O errors with dmesg, check the disk, then mount -o remount,rw {directory}",
            )
