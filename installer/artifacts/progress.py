"""How a long step says how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the file's name, the bytes that are there and the bytes there will be, if that is known."""

    def __call__(self, name: str, done: int, total: int | None) -> None: ...


def silent(name: str, done: int, total: int | None) -> None:
    """The ``Progress`` of those who do not want to know."""
