"""Requests that outlive their caller: a retry joins the attempt under way.

The kubelet gives up on a call after its deadline and sends it again. The work goes on here meanwhile; the
second call waits for the same result, instead of finding a reserved name or a half-made sandbox.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pycri import errors

log = logging.getLogger(__name__)

T = TypeVar("T")


class Attempts:
    """Attempts by key; one at a time for each."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    async def join(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the attempt ``key`` under way, or of a new one. Cancelling the caller leaves it."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(start())
            task.add_done_callback(lambda done: self._finished(key, done))
        result: T = await asyncio.shield(task)
        return result

    def background(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """An attempt that nobody waits for, unless it is under way already; a failure is logged."""
        if key in self._tasks:
            return
        task = self._tasks[key] = asyncio.create_task(start())
        task.add_done_callback(lambda done: self._finished(key, done, logging.WARNING))

    async def settled(self, key: Hashable) -> None:
        """Return when no attempt ``key`` is under way, however it ended."""
        task = self._tasks.get(key)
        if task is not None:
            await asyncio.wait([task])

    async def drain(self, timeout: float) -> int:
        """Wait up to ``timeout`` seconds for all; the number that were still under way, now cancelled."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(self._tasks.values(), timeout=timeout)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=timeout)
        return len(late)

    def _finished(self, key: Hashable, task: asyncio.Task[Any], level: int = logging.DEBUG) -> None:
        """Callers report their attempt's failure themselves; here it is for debugging."""
        del self._tasks[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.log(level, "attempt %s failed: %s", key, error)


class Locks:
    """One lock per id, for verbs that may not overlap on the same object."""

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield


async def together(*work: Awaitable[Any]) -> list[Any]:
    """Run all at once and wait for every one; then raise the first error, if any.

    Nothing is cancelled on a failure, or when the caller is: a half-done Tasks.Create or CNI ADD would be
    something nobody knows the end of.
    """
    tasks = [asyncio.ensure_future(item) for item in work]
    gathered = asyncio.gather(*tasks, return_exceptions=True)
    try:
        results = await asyncio.shield(gathered)
    except asyncio.CancelledError:
        await gathered
        raise
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


async def ignore_missing(work: Awaitable[Any]) -> None:
    """Undo something that may be gone already."""
    try:
        await work
    except errors.NotFound:
        return
