"""One attempt for all who want the same thing at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Attempts by key. ``outlive`` says what happens when the last waiter is cancelled: the attempt goes on
    (a later caller may join it still), or it is cancelled too.
    """

    def __init__(self, *, outlive: bool) -> None:
        self._outlive = outlive
        self._tasks: dict[object, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._tasks

    async def do(self, key: object, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Join the attempt under way for ``key``, or start one."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(attempt())
            self._waiting[task] = 0
            task.add_done_callback(lambda done: self._forget(key, done))
        self._waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            if task in self._waiting:
                self._waiting[task] -= 1
                if not self._outlive and not self._waiting[task]:
                    task.cancel()
                    self._tasks.pop(key, None)  # a new caller starts anew

    async def close(self) -> None:
        """Cancel every attempt and wait for their ends."""
        tasks = list(self._waiting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: object, done: asyncio.Task[T]) -> None:
        del self._waiting[done]
        if self._tasks.get(key) is done:
            del self._tasks[key]
        if not done.cancelled():
            done.exception()  # seen, also when every waiter has gone
