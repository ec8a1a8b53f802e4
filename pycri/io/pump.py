"""Reads one FIFO on the event loop and hands on what comes, chunk by chunk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

READ_BYTES = 64 * 1024


class Pump:
    """Owns the reading end ``fd`` until end of file or ``stop``."""

    def __init__(
        self,
        fd: int,
        on_data: Callable[[bytes], None],
        on_end: Callable[[], None],
        read: Callable[[int], bytes] | None = None,
    ) -> None:
        """``read``: another way to read from the descriptor than os.read."""
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._on_data = on_data
        self._on_end = on_end
        self._paused = False
        self._read = read or _read
        self._loop.add_reader(fd, self._readable)

    @property
    def ended(self) -> bool:
        return self._fd < 0

    def drain(self) -> None:
        """Reads what is there now; end of file too, where no writer is connected."""
        # Bounded: a writer that never stops must not keep the loop.
        for _ in range(256):
            if self._fd < 0 or not self._readable():
                return

    def pause(self) -> None:
        """Stops reading: the writer blocks once the pipe is full."""
        if self._fd >= 0 and not self._paused:
            self._paused = True
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        if self._fd >= 0 and self._paused:
            self._paused = False
            self._loop.add_reader(self._fd, self._readable)

    def stop(self) -> None:
        """Closes the descriptor without an end of file event."""
        if self._fd >= 0:
            if not self._paused:
                self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _readable(self) -> bool:
        """One read; False when nothing was there or the stream has ended."""
        try:
            chunk = self._read(self._fd)
        except BlockingIOError:
            return False
        if chunk:
            self._on_data(chunk)
            return True
        self.stop()
        self._on_end()
        return False


def _read(fd: int) -> bytes:
    return os.read(fd, READ_BYTES)
