"""Waiting for a condition with a deadline, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from installer.verify.check import Failed

T = TypeVar("T")


def wait_for(probe: Callable[[], T | None], what: str, *, timeout: float, interval: float = 0.02) -> T:
    """The first truthy value of `probe`, asked ever less often. Raises Failed after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failed(f"{what}: not within {timeout:.0f} s")
        time.sleep(interval)
        interval = min(interval * 1.5, 0.5)
