"""The live display of a terminal: a line per host with its step, the phase and the clock above them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from installer.progress.base import Progress
from installer.report import HostOutcome, HostState

_MARKS = {
    HostState.OK: ("✓", "green"),
    HostState.CHANGED: ("✓", "yellow"),
    HostState.FAILED: ("✗", "red"),
    HostState.UNREACHABLE: ("✗", "red"),
    HostState.SKIPPED: ("-", "yellow"),
}


@dataclass
class _Line:
    text: str = ""
    changed: int = 0
    outcome: HostOutcome | None = None


class Live(Progress):
    """Drawn at most eight times a second, by rich's own thread."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._lines: dict[str, _Line] = {}
        self._title, self._note = "", ""
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")
        self._live = RichLive(
            get_renderable=self._render, console=self._console, refresh_per_second=8, transient=True
        )
        self._live.start()

    def show_phase(self, title: str, hosts: list[str]) -> None:
        with self._lock:
            self._title, self._note = title, ""
            for host in hosts:
                self._lines.setdefault(host, _Line()).text = ""

    def show_step(self, host: str, text: str, changed: bool) -> None:
        with self._lock:
            line = self._lines.setdefault(host, _Line())
            line.text = text
            line.changed += changed

    def show_done(self, outcome: HostOutcome) -> None:
        with self._lock:
            self._lines.setdefault(outcome.host, _Line()).outcome = outcome

    def show_note(self, text: str) -> None:
        with self._lock:
            self._note = text

    def close(self) -> None:
        self._live.stop()

    def _render(self) -> RenderableType:
        with self._lock:
            table = Table.grid(padding=(0, 2))
            for host, line in self._lines.items():
                mark, step = self._mark(line)
                changed = Text(f"{line.changed} changed" if line.changed else "", style="yellow")
                table.add_row(mark, Text(host, style="bold"), step, changed)
            head = Text(f"{self._title}  {time.monotonic() - self._started:.0f} s", style="cyan")
            return Group(head, table, *([Text(self._note, style="dim")] if self._note else []))

    def _mark(self, line: _Line) -> tuple[RenderableType, Text]:
        if line.outcome is None:
            return self._spinner, Text(line.text, overflow="ellipsis", no_wrap=True)
        symbol, style = _MARKS[line.outcome.state]
        text = line.outcome.headline or line.outcome.state.value
        return Text(symbol, style=style), Text(text, style=style, overflow="ellipsis", no_wrap=True)
