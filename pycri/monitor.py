"""Follows containerd's events: who exited, who was killed for memory, whether containerd is there at all."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pycri._generated import containerd_task_events_pb2 as task_events
from pycri._generated import containerd_task_types_pb2 as task_types
from pycri.containerd import Containerd, Disconnected, Event, Subscribed
from pycri.errors import PycriError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exit:
    """How a container's first process ended; ``finished_at`` in nanoseconds since the epoch."""

    exit_code: int
    finished_at: int


Tasks = Mapping[str, task_types.Process]
OnExit = Callable[[str, Exit], Awaitable[None]]
OnSync = Callable[[Tasks], Awaitable[None]]


class Monitor:
    """One subscription for the daemon's life.

    ``on_exit`` runs in a task of its own per exit; ``on_sync`` gets the tasks as they are now, each time the
    stream is live again, because events in between are lost.
    """

    def __init__(
        self, containerd: Containerd, on_exit: OnExit, on_sync: OnSync, on_oom: Callable[[str], None]
    ) -> None:
        self._containerd = containerd
        self._on_exit = on_exit
        self._on_sync = on_sync
        self._on_oom = on_oom
        self._problem = "pycri has not reached containerd yet"
        self._live = asyncio.Event()
        self._handling: set[asyncio.Task[None]] = set()

    @property
    def problem(self) -> str:
        """Why containerd cannot be used now; empty when it can."""
        return self._problem

    async def wait_live(self) -> None:
        """Return once exits are seen as they happen."""
        await self._live.wait()

    async def run(self) -> None:
        """Follow until cancelled."""
        async for item in self._containerd.events.subscribe("^/tasks/(exit|oom)$"):
            if isinstance(item, Subscribed):
                await self._synchronize(item.again)
            elif isinstance(item, Disconnected):
                if not self._problem:
                    log.warning("containerd is gone: %s", item.error)
                self._problem = f"containerd at {self._containerd.address} is gone: {item.error}"
                self._live.clear()
            else:
                self._dispatch(item)

    async def drain(self) -> None:
        """Wait for the exits being handled."""
        if self._handling:
            await asyncio.wait(self._handling)

    async def _synchronize(self, again: bool) -> None:
        try:
            tasks = {task.id or task.container_id: task for task in await self._containerd.tasks.list()}
            await self._on_sync(tasks)
        except PycriError as error:
            # lost again: the next subscription repeats this
            self._problem = f"containerd at {self._containerd.address} is gone: {error}"
            return
        if again:
            log.info("containerd is back")
        self._problem = ""
        self._live.set()

    def _dispatch(self, event: Event) -> None:
        message = event.message
        if isinstance(message, task_events.TaskOOM):
            self._on_oom(message.container_id)
        elif isinstance(message, task_events.TaskExit) and message.id == message.container_id:
            finished = message.exited_at.ToNanoseconds() or event.timestamp_ns
            task = asyncio.create_task(
                self._handle(message.container_id, Exit(message.exit_status, finished))
            )
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)

    async def _handle(self, container_id: str, ended: Exit) -> None:
        try:
            await self._on_exit(container_id, ended)
        except (PycriError, OSError, sqlite3.Error) as error:
            # The record stays as it was; the next synchronization finds the task stopped and tries again.
            log.error("the exit of %s could not be handled: %s", container_id, error)
