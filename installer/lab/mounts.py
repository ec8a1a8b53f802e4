"""Mounts below a directory: listed from the kernel, taken away deepest first."""

from __future__ import annotations

import re
import time
from pathlib import Path

from installer.errors import NodestrapError
from installer.lab.tools import run

_UNMOUNT_SECONDS = 10.0


def mounts_below(directory: Path) -> list[Path]:
    """Mount points at or below `directory`, the last mounted first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(unescape(line.split()[4]))
        if point == directory or directory in point.parents:
            found.append(point)
    return found[::-1]


def unmount_below(directory: Path) -> None:
    """Unmount everything at or below `directory`. Raises NodestrapError when something stays busy."""
    deadline = time.monotonic() + _UNMOUNT_SECONDS
    while points := mounts_below(directory):
        try:
            run("umount", str(points[0]))
        except NodestrapError as error:  # noqa: PERF203 - a retry
            # The last process has ended, but the kernel may still be dropping its mount namespace.
            if time.monotonic() > deadline:
                raise NodestrapError(
                    f"{points[0]} cannot be unmounted: {error}",
                    fix=f"See who uses it with: fuser -vm {points[0]}",
                ) from error
            time.sleep(0.1)


def unescape(field: str) -> str:
    """A mountinfo field as it is meant: space, tab, newline and backslash come as octal escapes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
