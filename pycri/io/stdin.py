"""The writing end of a process's stdin FIFO."""

from __future__ import annotations

import asyncio
import os
import select

# The shim opens the reading end in its own time, and may have told of the process's start before.
READER_SECONDS = 10.0
_LOOK_SECONDS = 0.005


class StdinWriter:
    """Owns the non-blocking descriptor ``fd``; writers take turns, each write is whole."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Future[None] | None = None
        self._read_from = False

    @property
    def closed(self) -> bool:
        return self._fd < 0

    @property
    def fd(self) -> int:
        return self._fd

    async def reader(self) -> None:
        """Returns when somebody has opened the reading end: what is written before is lost, an end that comes
        before is not seen. BrokenPipeError: nobody has, for READER_SECONDS."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + READER_SECONDS
        while not self._read_from:
            if self._fd < 0 or loop.time() > limit:
                raise BrokenPipeError("nobody reads from stdin")
            self._read_from = _has_reader(self._fd)
            if not self._read_from:
                await asyncio.sleep(_LOOK_SECONDS)

    async def write(self, data: bytes) -> None:
        """Returns when the pipe has taken all of ``data``. BrokenPipeError: nobody reads any more."""
        await self.reader()
        async with self._turn:
            rest = memoryview(data)
            while rest:
                if self._fd < 0:
                    raise BrokenPipeError("stdin is closed")
                try:
                    rest = rest[os.write(self._fd, rest) :]
                except BlockingIOError:
                    await self._writable()

    def close(self) -> None:
        """The reader sees end of file once the shim's own copy is closed too (Tasks.CloseIO)."""
        if self._fd < 0:
            return
        if self._waiting is not None:
            # before the number can be another file's
            asyncio.get_running_loop().remove_writer(self._fd)
            _wake(self._waiting)
        os.close(self._fd)
        self._fd = -1

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        waiting = self._waiting = loop.create_future()
        loop.add_writer(self._fd, _wake, waiting)
        try:
            await waiting
        finally:
            self._waiting = None
            if self._fd >= 0:
                loop.remove_writer(self._fd)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _has_reader(fd: int) -> bool:
    """pipe(7): a pipe that nobody reads from is in error for its writers."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return not any(events & select.POLLERR for _, events in poll.poll(0))
