"""What to do about failures that many hosts know."""

from __future__ import annotations

import re
from typing import Final

# (what the failure says, what to do), with the pattern's groups. The first match counts; case does not
# matter.
_HINTS: Final = (
    (
        r"could not get lock|dpkg frontend lock|unable to lock the admin|rpm\.lock",
        "another package manager is at work on the host (unattended-upgrades?): wait, then run again",
    ),
    (
        r"temporary failure resolving|could not resolve|failed to (fetch|download metadata)"
        r"|unable to fetch|cannot download repo",
        "the host does not reach its package repositories: check its DNS, its sources and its proxy",
    ),
    (
        r"no package matching|unable to locate package|no match for argument|no installation candidate",
        "the host's package index does not know it: enable the repository that has it",
    ),
    (r"no space left on device|disk quota exceeded", "free some disk space on the host, then run again"),
    (r"read-only file system", "the host's file system is mounted read-only: check its disk (dmesg)"),
    (
        r"address already in use",
        "another process holds that port or socket: `ss -lptn` on the host shows which",
    ),
    (
        r"host key verification failed|remote host identification has changed",
        "the host's key is not the pinned one: run again, and connect will say which entry to compare",
    ),
    (
        r"missing sudo password|incorrect sudo password|a password is required",
        "pass --ask-become-pass, or set ansible_become_password (with ansible-vault)",
    ),
    (
        r"checksum|sha256|digest mismatch",
        "the file is not the pinned one: remove it from ~/.cache/nodestrap/artifacts, then run again",
    ),
    (r"job for (\S+) failed", r"`journalctl -u \1 -n 50` on the host says why it does not start"),
    (
        r"unable to (re)?start service|failed to start",
        "the unit does not start: `systemctl --failed` on the host names it, its journal says why",
    ),
    (
        r"connection (refused|reset|closed|timed out)|no route to host|unreachable|broken pipe",
        "the host went away during the run: check that it is up, then run again",
    ),
    (
        r"censored|no_log",
        "the task's output may hold a secret and is hidden: run its command by hand on the host",
    ),
)


def fix_for(text: str) -> str | None:
    """The fix for the first known pattern in a failure's text."""
    for pattern, fix in _HINTS:
        if match := re.search(pattern, text, re.IGNORECASE):
            return match.expand(fix)
    return None
