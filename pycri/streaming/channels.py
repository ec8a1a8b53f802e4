"""What exec and attach say over any protocol: the events of a client, and how to answer it. Without I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pycri.streaming.status import Status

_MAX_RESIZE_BYTES = 1024


class ProtocolError(Exception):
    """The client broke its protocol; what it should be told is in the output."""


@dataclass(frozen=True)
class Ready:
    """Every stream that the session needs is there."""


@dataclass(frozen=True)
class StdinData:
    data: bytes


@dataclass(frozen=True)
class StdinEnd:
    """The client will type nothing more."""


@dataclass(frozen=True)
class Resize:
    width: int
    height: int


@dataclass(frozen=True)
class ClientGone:
    """The client has taken its leave."""


ChannelEvent = Ready | StdinData | StdinEnd | Resize | ClientGone


class Channels(Protocol):
    """One exec or attach session on the wire."""

    def start(self) -> list[ChannelEvent]:
        """Right after the upgrade, before any byte."""

    def receive(self, data: bytes) -> list[ChannelEvent]:
        """Raises ProtocolError."""

    def send(self, name: str, data: bytes) -> None:
        """``name``: stdout or stderr. Dropped where the client has closed that stream."""

    def finish(self, status: Status) -> None:
        """Ends all streams; the last call."""

    def take_output(self) -> bytes: ...


class ResizeParser:
    """Cuts the resize stream into JSON documents such as ``{"Width":80,"Height":24}``."""

    def __init__(self) -> None:
        self._text = ""
        self._decoder = json.JSONDecoder()

    def feed(self, data: bytes) -> Iterator[Resize]:
        """What makes no sense is dropped: a wrong size is no reason to end a session."""
        self._text = (self._text + data.decode("utf-8", "replace")).lstrip()
        while self._text:
            try:
                document, end = self._decoder.raw_decode(self._text)
            except (ValueError, RecursionError):
                if len(self._text) > _MAX_RESIZE_BYTES:
                    self._text = ""
                return
            self._text = self._text[end:].lstrip()
            size = _size(document)
            if size is not None:
                yield size


def _size(document: object) -> Resize | None:
    if not isinstance(document, dict):
        return None
    width, height = document.get("Width"), document.get("Height")
    if not (isinstance(width, int) and isinstance(height, int)):
        return None
    return Resize(width, height) if 0 < width < 1 << 16 and 0 < height < 1 << 16 else None
