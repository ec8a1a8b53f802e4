"""Plain lines, for logs of CI and for pipes: each says which host and which step, in order, none
rewritten."""

from __future__ import annotations

import threading
import time
from typing import TextIO

from installer.progress.base import Progress
from installer.report import HostOutcome, HostState


class Plain(Progress):
    """One line per phase, per change and per end of a host; verbose: one line per step."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def show_phase(self, title: str, hosts: list[str]) -> None:
        self._line(f"== {title} ({len(hosts)} host{'' if len(hosts) == 1 else 's'})")

    def show_step(self, host: str, text: str, changed: bool) -> None:
        if changed or self._verbose:
            self._line(f"{host}: {text}{': changed' if changed else ''}")

    def show_done(self, outcome: HostOutcome) -> None:
        if outcome.state in (HostState.OK, HostState.CHANGED):
            return  # the report says it, too
        self._line(f"{outcome.host}: {outcome.state}: {outcome.step or ''}: {outcome.headline}")

    def show_note(self, text: str) -> None:
        self._line(text)

    def transfer(self, name: str, done: int, total: int | None) -> None:
        if total is not None and done >= total:  # lines stay: only the end is worth one
            self._line(f"{name}: {done} bytes")

    def _line(self, text: str) -> None:
        with self._lock:
            self._stream.write(f"[{time.monotonic() - self._started:6.1f}s] {text}\n")
            self._stream.flush()
