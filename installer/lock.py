"""One operator at a time: a lock file on the controller here, and one on each host (``preflight/probe.py``).

The controller's keeps two runs of one user apart before anything is contacted; the hosts' keep two
controllers apart. Both are flock(2) locks: they end with the process that holds them, however it ends.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from installer.errors import LockedError


def owner() -> dict[str, Any]:
    """Who is asking, for the other operator to read."""
    return {
        "operator": os.environ.get("SUDO_USER") or getpass.getuser(),
        "controller": socket.gethostname(),
        "pid": os.getpid(),
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@contextmanager
def cluster_lock(state_dir: Path) -> Iterator[None]:
    """Hold the controller's lock on a cluster; LockedError, naming the holder, when it is taken."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise locked(_holder(stream.read()), where=f"the cluster {state_dir.name!r}") from None
        stream.truncate()
        stream.write(json.dumps(owner()))
        stream.flush()
        yield


def locked(holder: Mapping[str, Any], *, where: str, host: str | None = None) -> LockedError:
    """The refusal: who holds the lock, since when, and what to do."""
    who = f"{holder.get('operator', 'somebody')} on {holder.get('controller', 'another controller')}"
    reason = f"{who} (pid {holder.get('pid', '?')}, since {holder.get('since', '?')}) is at work on {where}"
    fix = "wait until that run ends"
    if host is not None:
        fix += "; if its controller is gone for good, end the lock's holder: fuser -k /run/nodestrap.lock"
    return LockedError(reason, host=host, fix=fix)


def _holder(text: str) -> dict[str, Any]:
    try:
        holder = json.loads(text)
    except ValueError:  # read between truncate and write
        return {}
    return holder if isinstance(holder, dict) else {}
