"""What was done to which host, one JSON line each, so that the next run knows how the last one ended.

Phases are idempotent, so resuming means running them again; what the journal adds is the knowledge that a
run was cut short, where, and on which hosts. Lines are flushed to disk at the ends of phases: kill -9 loses
nothing that a reader would need.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installer.report import HostOutcome

_KEEP_BYTES = 4 << 20  # then it starts anew, the old one kept once


@dataclass(frozen=True)
class LeftToken:
    """A bootstrap token that an earlier run made, or was about to make, and did not take back."""

    id: str  # the public half
    certificates: bool  # whether the control plane's certificates were uploaded with it


@dataclass(frozen=True)
class Unfinished:
    """A run that has a beginning and no end in the journal."""

    command: str
    phase: str | None
    started: float  # seconds since the epoch


class Journal:
    """Append-only; the holder of the cluster's lock is the only writer."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "journal.jsonl"
        if self._path.exists() and self._path.stat().st_size > _KEEP_BYTES:
            self._path.replace(self._path.with_suffix(".jsonl.1"))
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._stream = os.fdopen(descriptor, "w")
        self._run = f"{int(time.time())}-{os.getpid()}"

    def close(self) -> None:
        self._stream.close()

    def run_started(self, command: str, hosts: list[str]) -> None:
        self._write("run", command=command, hosts=hosts)

    def phase_started(self, phase: str) -> None:
        self._write("phase", phase=phase)

    def phase_ended(self, phase: str, seconds: float) -> None:
        self._write("phase-end", phase=phase, seconds=round(seconds, 3))

    def host(self, phase: str, outcome: HostOutcome) -> None:
        self._write("host", phase=phase, **outcome.as_dict())

    def run_ended(self, exit_code: int) -> None:
        self._write("end", exit_code=exit_code)

    def token(self, token_id: str, *, certificates: bool) -> None:
        """Told before the token is made, so that it is known even if the run is killed in that moment."""
        self._write("token", id=token_id, certificates=certificates)

    def token_revoked(self, token_id: str) -> None:
        self._write("token-revoked", id=token_id)

    def left_tokens(self) -> tuple[LeftToken, ...]:
        """Those of earlier runs; this one takes back its own."""
        left: dict[str, LeftToken] = {}
        for entry in read(self._path):
            token_id = str(entry.get("id"))
            if entry.get("event") == "token" and entry.get("run") != self._run:
                left[token_id] = LeftToken(token_id, bool(entry.get("certificates")))
            elif entry.get("event") == "token-revoked":
                left.pop(token_id, None)
        return tuple(left.values())

    def unfinished(self) -> Unfinished | None:
        """The last run before this one, if it did not end by itself."""
        found: Unfinished | None = None
        for entry in read(self._path):
            if entry.get("event") == "run":
                found = Unfinished(entry.get("command", "?"), None, entry.get("time", 0.0))
            elif entry.get("event") == "phase" and found is not None:
                found = Unfinished(found.command, entry.get("phase"), found.started)
            elif entry.get("event") == "end":
                found = None
        return found

    def _write(self, event: str, **values: Any) -> None:
        entry = {"time": round(time.time(), 3), "run": self._run, "event": event, **values}
        self._stream.write(json.dumps(entry) + "\n")
        self._stream.flush()
        if event != "host":
            os.fsync(self._stream.fileno())


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of a journal; a line cut short by a crash ends nothing but itself."""
    if not path.exists():
        return
    with path.open(errors="replace") as stream:
        for line in stream:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry
