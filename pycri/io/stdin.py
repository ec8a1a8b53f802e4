"""The writing end of a process's stdin FIFO."""

from __future__ import annotations

import asyncio
import os


class StdinWriter:
    """Owns the non-blocking descriptor ``fd``; writers take turns, each write is whole."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Future[None] | None = None

    @property
    def closed(self) -> bool:
        return self._fd < 0

    @property
    def fd(self) -> int:
        return self._fd

    async def write(self, data: bytes) -> None:
        """Returns when the pipe has taken all of ``data``. BrokenPipeError: nobody reads any more."""
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
