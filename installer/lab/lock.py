"""An exclusive lock on a path, gone from the file system once released, and with its holder if that dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from installer.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file `path` for the block.

    Without `wait`, raises LockedError at once when another process holds it; `what` names the thing locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _acquire(path, what, wait)
    try:
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _acquire(path: Path, what: str, wait: bool) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # The former holder unlinks on release: the lock counts only if the path still is this file.
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except BlockingIOError:
            holder = os.read(handle, 32).decode(errors="replace") or "?"
            os.close(handle)
            raise LockedError(
                f"Another nodestrap (process {holder}) is at work on {what}.",
                fix=f"Wait for it, or look at it with: ps -fp {holder}",
            ) from None
        except FileNotFoundError:
            pass  # unlinked between open and stat: the next round creates a new one
        os.close(handle)
