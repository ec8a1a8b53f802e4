"""Attach: a client joins the streams of a running container."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from pycri.errors import NotFound, PycriError
from pycri.io.container import ContainerStreams
from pycri.io.table import ContainerTable
from pycri.streaming.channels import Channels
from pycri.streaming.helpers import alongside, first
from pycri.streaming.remote_session import RemoteSession
from pycri.streaming.sessions import AttachRequest
from pycri.streaming.status import Status

if TYPE_CHECKING:
    from pycri.containerd.tasks import Tasks

log = logging.getLogger(__name__)

# A client that takes less than the container writes gets gaps: it must not hold up the container or its log.
MAX_BACKLOG_BYTES = 1 << 20


class AttachSession(RemoteSession):
    """Ends with the client or with the container's output; the container goes on."""

    def __init__(
        self,
        containers: ContainerTable,
        tasks: Tasks,
        request: AttachRequest,
        channels: Channels,
        answer: bytes,
    ) -> None:
        super().__init__(channels, answer)
        self._containers = containers
        self._tasks = tasks
        self._request = request
        self._done = asyncio.Event()
        self._dropped_bytes = 0

    async def run(self) -> None:
        if not await self.streams_ready():
            return
        try:
            streams = self._containers.get(self._request.container_id)
        except NotFound as error:
            await self.finish(Status(error=str(error)))
            return
        leave = streams.subscribe(self._take)
        try:
            if streams.ended:
                self._done.set()
            async with alongside(self._type(streams), self._resize()):
                await first(self._done.wait(), self.left())
        finally:
            leave()
            if self._request.stdin and streams.record.stdin_once:
                await self._close_stdin(streams)
        if self._dropped_bytes:
            log.warning(
                "attach to %s: the client was too slow for %d bytes",
                self._request.container_id,
                self._dropped_bytes,
            )
        await self.finish(Status())

    def _take(self, name: str, chunk: bytes) -> None:
        if not chunk:
            streams = self._containers.find(self._request.container_id)
            if streams is None or streams.outputs_ended:
                self._done.set()
        elif name not in self._request.names:
            return
        elif self.link.backlog > MAX_BACKLOG_BYTES:
            self._dropped_bytes += len(chunk)
        else:
            self.send(name, chunk)

    async def _type(self, streams: ContainerStreams) -> None:
        stdin = streams.stdin
        if stdin is None or not self._request.stdin:
            self.stdin.discard()
            return
        await self.type_into(stdin)
        if streams.record.stdin_once:
            await self._close_stdin(streams)

    async def _close_stdin(self, streams: ContainerStreams) -> None:
        """The first client's end of input is the container's (stdin_once of the CRI)."""
        if streams.stdin is None or streams.stdin.closed:
            return
        streams.close_stdin()
        with contextlib.suppress(PycriError):  # the container has ended meanwhile
            await self._tasks.close_stdin(self._request.container_id)

    async def _resize(self) -> None:
        while True:
            size = await self.next_size()
            try:
                await self._tasks.resize_pty(self._request.container_id, size.width, size.height)
            except PycriError as error:
                log.debug("resize of container %s: %s", self._request.container_id, error)
