"""Kills an exec'd process together with what it started.

runc makes every process of an exec the leader of a session of its own, and a session outlives re-parenting:
so the session id finds the children of a shell that is gone, in the container's pid namespace or the host's.
A daemon that has left the session on purpose stays.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

_ROUNDS = 5  # a process may fork while it is being killed; each round finds what the last one missed


def kill_session(leader: int) -> int:
    """SIGKILL to every process of the session that ``leader`` leads; returns how many were hit."""
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = set(_members(leader))
        killed |= {pid for pid in found if _kill(pid, leader)}
        if not found:
            break
    return len(killed)


def _members(leader: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _session(int(entry.name)) == leader:
            yield int(entry.name)


def _session(pid: int) -> int:
    """The session id, 0 for a process that has ended or is a zombie."""
    try:
        # the name in parentheses may hold anything, so count from its end: state ppid pgrp session
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[3])


def _kill(pid: int, leader: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            if _session(pid) == leader:  # still the same process, now that the pidfd holds on to it
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                return True
        finally:
            os.close(pidfd)
    return False
