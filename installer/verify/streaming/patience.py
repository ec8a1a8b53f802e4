"""What a client of either protocol does until it has heard enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from installer.verify.check import Failed


class Receiver(Protocol):
    """A session whose bytes are read by whoever waits for them."""

    closed: bool

    def receive(self, timeout: float) -> None:
        """Take in what comes within `timeout` seconds, if anything does; set `closed` at the end."""

    def heard(self) -> str:
        """What was said so far, for the message of a failure."""


def wait_until(done: Callable[[], bool], session: Receiver, what: str, timeout: float) -> None:
    """Receive until `done`. Raises Failed: the session ended, or `timeout` seconds passed, before `what`."""
    deadline = time.monotonic() + timeout
    while not done():
        left = deadline - time.monotonic()
        if session.closed:
            raise Failed(f"the connection ended before {what}; {session.heard()}")
        if left <= 0:
            raise Failed(f"{what}: not within {timeout:.0f} s; {session.heard()}")
        session.receive(left)
