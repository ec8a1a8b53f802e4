"""One-use tokens: the RPC registers a session, the URL's bearer redeems it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from pycri.errors import ResourceExhausted

LIFETIME_SECONDS = 60.0
MAX_WAITING = 1000

T = TypeVar("T")


class Tokens(Generic[T]):
    """Oldest first, so that what has expired is dropped from the front."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[str, tuple[float, T]] = {}

    def add(self, session: T) -> str:
        """A token for ``session``, good once and for 60 s. ResourceExhausted: 1,000 are waiting."""
        self._drop_expired()
        if len(self._waiting) >= MAX_WAITING:
            raise ResourceExhausted(
                f"{MAX_WAITING} exec, attach and port-forward requests wait for their client; "
                f"each expires after {LIFETIME_SECONDS:.0f} s"
            )
        token = secrets.token_urlsafe(24)
        self._waiting[token] = (self._clock() + LIFETIME_SECONDS, session)
        return token

    def redeem(self, token: str) -> T | None:
        """The session, which is forgotten; None for a token that is unknown, used or expired."""
        self._drop_expired()
        found = self._waiting.pop(token, None)
        return None if found is None else found[1]

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._waiting:
            token = next(iter(self._waiting))
            if self._waiting[token][0] > now:
                return
            del self._waiting[token]
