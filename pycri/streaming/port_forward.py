"""PortForward: TCP connections of a client, carried on inside a pod's network namespace."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from pycri.streaming.channels import ProtocolError
from pycri.streaming.forwards import (
    ForwardData,
    ForwardEnd,
    ForwardEvent,
    ForwardGone,
    ForwardOpened,
    Forwards,
)
from pycri.streaming.helpers import alongside, first
from pycri.streaming.link import Link
from pycri.streaming.netns_connect import connect_in_netns
from pycri.streaming.remote_session import StdinQueue
from pycri.streaming.sessions import PortForwardRequest

log = logging.getLogger(__name__)

_READ_BYTES = 64 * 1024
_EXPIRE_SECONDS = 5.0


class PortForwardSession:
    """One client with any number of forwarded connections; all end with it."""

    link: Link

    def __init__(self, request: PortForwardRequest, forwards: Forwards, answer: bytes) -> None:
        self.answer = answer
        self._request = request
        self._forwards = forwards
        self._gone = asyncio.Event()
        self._queues: dict[int, StdinQueue] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def begin(self, link: Link) -> None:
        self.link = link
        self._handle(self._forwards.start())

    def receive(self, data: bytes) -> None:
        try:
            self._handle(self._forwards.receive(data))
        except ProtocolError:
            self._flush()
            self._gone.set()

    async def run(self) -> None:
        try:
            async with alongside(self._expire()):
                await first(self._gone.wait(), self.link.lost.wait())
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._forwards.finish()
        self._flush()
        await self.link.close()

    def _handle(self, events: list[ForwardEvent]) -> None:
        for event in events:
            if isinstance(event, ForwardOpened):
                self._open(event.key, event.port)
            elif isinstance(event, ForwardData):
                if event.key in self._queues:
                    self._queues[event.key].put(event.data)
            elif isinstance(event, ForwardEnd):
                if event.key in self._queues:
                    self._queues[event.key].end()
            elif isinstance(event, ForwardGone):
                if event.key in self._tasks:
                    self._tasks[event.key].cancel()
            else:
                self._gone.set()
        self._flush()

    def _open(self, key: int, port: int) -> None:
        queue = self._queues[key] = StdinQueue()
        queue.bind(self.link.pause_reading, self.link.resume_reading)
        task = self._tasks[key] = asyncio.ensure_future(self._forward(key, port, queue))
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _forward(self, key: int, port: int, queue: StdinQueue) -> None:
        message = ""
        try:
            connection = await connect_in_netns(self._request.netns_path, port)
            reader, writer = await asyncio.open_connection(sock=connection, limit=_READ_BYTES)
            try:
                async with alongside(self._to_pod(queue, writer)):
                    await self._to_client(key, reader)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        except OSError as error:
            message = str(error)
            log.debug("port-forward to %s in %s: %s", port, self._request.sandbox_id, error)
        finally:
            queue.discard()
            self._queues.pop(key, None)
            self._forwards.fail(key, message)
            self._flush()

    async def _to_client(self, key: int, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_READ_BYTES):
            self._forwards.send(key, data)
            self._flush()
            await self.link.writable()

    async def _to_pod(self, queue: StdinQueue, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):  # the reading side learns of it and says so
            while data := await queue.get():
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRE_SECONDS)
            self._forwards.expire(asyncio.get_running_loop().time())
            self._flush()

    def _flush(self) -> None:
        self.link.write(self._forwards.take_output())
