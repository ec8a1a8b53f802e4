"""Tasks that live no longer than a block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def alongside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs ``works`` beside the block; at its end they are cancelled and awaited.

    A failure among them is raised when the block itself went well.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def first(*works: Coroutine[Any, Any, Any]) -> set[int]:
    """Waits for the first of ``works`` to end, cancels the others; the positions of those that ended."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return {position for position, task in enumerate(tasks) if task in done}
    finally:
        for task in tasks:
            task.cancel()
