"""The limits of inotify are used up: its errors read like a full disk or too many open files."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence
from installer.doctor.finding import Finding, cause


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    for unit in evidence.journals:
        line = evidence.line(unit, r"(inotify|fsnotify).*(no space left on device|too many open files)")
        if line:
            yield cause(
                "the kernel's limits on inotify are used up",
                line,
                "raise them: sysctl -w fs.inotify.max_user_instances=1024 "
                "fs.inotify.max_user_watches=1048576 (os_prepare_sysctls keeps them so)",
            )
            return
