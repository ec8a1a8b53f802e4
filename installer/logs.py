"""The full log of a run: everything that happened, no secret in it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from installer.errors import UsageError

_KEEP = 30  # logs per cluster


@contextmanager
def log_to_file(path: Path, secrets: Collection[str] = ()) -> Iterator[Path]:
    """Log nodestrap's and paramiko's records to ``path`` (0600) while the block lasts."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "a")
    except OSError as error:
        raise UsageError(
            f"the log {path} cannot be written: {error.strerror}", fix="choose another --log-file"
        ) from error
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    handler.addFilter(Redact(secrets))
    own, ssh = logging.getLogger("nodestrap"), logging.getLogger("paramiko")
    own.setLevel(logging.DEBUG)
    own.propagate = False
    ssh.setLevel(logging.WARNING)
    ssh.propagate = False  # its tracebacks belong here, not on the terminal
    for logger in (own, ssh):
        logger.addHandler(handler)
    try:
        yield path
    finally:
        for logger in (own, ssh):
            logger.removeHandler(handler)
        stream.close()


def default_log_file(state_dir: Path, command: str) -> Path:
    """A new file's path in the cluster's log directory; the oldest files beyond 30 go."""
    directory = state_dir / "logs"
    old = sorted(directory.glob("*.log")) if directory.is_dir() else []
    for path in old[: max(0, len(old) - _KEEP + 1)]:
        path.unlink(missing_ok=True)
    return directory / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{command}-{os.getpid()}.log"


class Redact(logging.Filter):
    """Blanks known secrets. The roles' no_log keeps them out at the source; this is the second net."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__()
        self._secrets = sorted(secrets, key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = message
        for secret in self._secrets:
            clean = clean.replace(secret, "********")
        if clean != message:
            record.msg, record.args = clean, ()
        return True
