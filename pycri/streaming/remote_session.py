"""What exec and attach have in common: one client, its channels, and what it types."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pycri.io.stdin import StdinWriter
from pycri.streaming.channels import (
    ChannelEvent,
    Channels,
    ProtocolError,
    Ready,
    Resize,
    StdinData,
    StdinEnd,
)
from pycri.streaming.link import Link
from pycri.streaming.status import Status

STREAM_CREATION_SECONDS = 30.0
_STDIN_BYTES = 256 * 1024


class RemoteSession:
    """Turns the link's bytes into typed events; ``run`` is the subclass's."""

    link: Link

    def __init__(self, channels: Channels, answer: bytes) -> None:
        self.answer = answer
        self.gone = asyncio.Event()  # the client has left, in whatever way
        self.stdin = StdinQueue()
        self._channels = channels
        self._ready = asyncio.Event()
        self._size: Resize | None = None
        self._resized = asyncio.Event()

    def begin(self, link: Link) -> None:
        self.link = link
        self.stdin.bind(link.pause_reading, link.resume_reading)
        self._handle(self._channels.start())

    def receive(self, data: bytes) -> None:
        try:
            self._handle(self._channels.receive(data))
        except ProtocolError:
            self._flush()  # what the client did wrong, in its protocol's words
            self.gone.set()

    def send(self, name: str, data: bytes) -> None:
        self._channels.send(name, data)
        self._flush()

    async def streams_ready(self) -> bool:
        """False: the client left, or did not open its streams in time."""
        ready, gone = asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(self.left())
        try:
            done, _ = await asyncio.wait(
                {ready, gone}, timeout=STREAM_CREATION_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            return ready in done
        finally:
            ready.cancel()
            gone.cancel()

    async def left(self) -> None:
        """Returns when the client has gone."""
        gone, lost = asyncio.ensure_future(self.gone.wait()), asyncio.ensure_future(self.link.lost.wait())
        try:
            await asyncio.wait({gone, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            lost.cancel()

    async def next_size(self) -> Resize:
        """The terminal's newest size, once for each change."""
        await self._resized.wait()
        self._resized.clear()
        assert self._size is not None
        return self._size

    async def type_into(self, stdin: StdinWriter) -> None:
        """All that the client types, until its end; then ``stdin`` may be closed and nothing is lost."""
        try:
            while data := await self.stdin.get():
                await stdin.write(data)
            await stdin.reader()
        except BrokenPipeError:
            self.stdin.discard()

    async def finish(self, status: Status) -> None:
        """Tells the client how it ended, and lets go of it."""
        self._channels.finish(status)
        self._flush()
        await self.link.close()

    async def run(self) -> None:
        raise NotImplementedError

    def _handle(self, events: list[ChannelEvent]) -> None:
        for event in events:
            if isinstance(event, Ready):
                self._ready.set()
            elif isinstance(event, StdinData):
                self.stdin.put(event.data)
            elif isinstance(event, StdinEnd):
                self.stdin.end()
            elif isinstance(event, Resize):
                self._size = event
                self._resized.set()
            else:
                self.gone.set()
        self._flush()

    def _flush(self) -> None:
        self.link.write(self._channels.take_output())


class StdinQueue:
    """What the client typed and the process has not yet read; bounded by not reading from the client."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._paused = False
        self._news = asyncio.Event()
        self._pause: Callable[[], None] | None = None
        self._resume: Callable[[], None] | None = None

    def bind(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume

    def put(self, data: bytes) -> None:
        if self._ended:
            return
        self._chunks.append(data)
        self._size += len(data)
        self._news.set()
        if self._size > _STDIN_BYTES and not self._paused and self._pause is not None:
            self._paused = True
            self._pause()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    def discard(self) -> None:
        """Nobody reads any more: what comes is dropped, and the client is not held up."""
        self._chunks.clear()
        self._size = 0
        self.end()
        self._unpause()

    async def get(self) -> bytes:
        """The next bytes; empty at the end."""
        while not self._chunks:
            if self._ended:
                return b""
            self._news.clear()
            await self._news.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        self._unpause()
        return data

    def _unpause(self) -> None:
        if self._paused and self._resume is not None:
            self._paused = False
            self._resume()
