"""What port-forward says over any protocol. Without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ForwardOpened:
    """A client has connected to its end; connect to ``port`` in the pod."""

    key: int
    port: int


@dataclass(frozen=True)
class ForwardData:
    key: int
    data: bytes


@dataclass(frozen=True)
class ForwardEnd:
    """The client has half-closed its connection."""

    key: int


@dataclass(frozen=True)
class ForwardGone:
    """The client has given its connection up."""

    key: int


@dataclass(frozen=True)
class ClientLeft:
    """All of them."""


ForwardEvent = ForwardOpened | ForwardData | ForwardEnd | ForwardGone | ClientLeft


class Forwards(Protocol):
    """One port-forward session on the wire; ``key`` names one forwarded connection."""

    def start(self) -> list[ForwardEvent]: ...

    def receive(self, data: bytes) -> list[ForwardEvent]:
        """Raises ``channels.ProtocolError``."""

    def send(self, key: int, data: bytes) -> None: ...

    def end(self, key: int) -> None:
        """The pod's side has half-closed."""

    def fail(self, key: int, message: str) -> None:
        """Both directions are over, and why; an empty message for a regular end."""

    def expire(self, now: float) -> None:
        """Called now and then with a monotonic clock's seconds: drops what was begun and never completed."""

    def finish(self) -> None: ...

    def take_output(self) -> bytes: ...
