"""Progress of a lab verb: one line per step on standard error, with the seconds since the start."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress:
    """Prints steps as they end. Thread-safe as far as click.echo is: whole lines."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._started = time.monotonic()
        self._quiet = quiet

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Print `text` after the time."""
        if not self._quiet:
            click.echo(f"{self.elapsed:6.1f} s  {text}", err=True)

    @contextmanager
    def step(self, title: str, *, announce: bool = False) -> Iterator[None]:
        """Say `title` with its duration once the block has ended well; with `announce`, at its start too."""
        if announce:
            self.say(f"{title} …")
        began = time.monotonic()
        yield
        self.say(f"{title} ({time.monotonic() - began:.1f} s)")
