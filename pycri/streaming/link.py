"""One client's TCP connection, after its upgrade: bytes, back-pressure, and when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from pycri.keepalive import keep_alive

# Written and not yet sent; above the first, producers are asked to pause, below the second to go on.
HIGH_WATER_BYTES = 256 * 1024
LOW_WATER_BYTES = 64 * 1024
# 256 forwarded connections may each have a chunk of 64 KiB under way; no honest client is further behind.
MAX_BACKLOG_BYTES = 32 << 20
_CLOSE_SECONDS = 5.0
_PROBE_SECONDS = 5.0
_TCP_GONE = frozenset((7, 8))  # CLOSE, CLOSE_WAIT of tcp_states.h
# A client whose machine is gone says nothing, and one that left behind more than we take has its end stuck
# behind it: its kernel forgets it after some minutes, and then answers these probes with a reset (tcp(7)).
_IDLE_SECONDS, _INTERVAL_SECONDS, _COUNT = 30, 10, 3


class Link:
    """Wraps the transport of an upgraded connection. ``on_bytes`` is called for what the client sends."""

    def __init__(self, transport: asyncio.Transport, on_bytes: Callable[[bytes], None]) -> None:
        self.lost = asyncio.Event()
        self.on_bytes = on_bytes
        self.last_activity = asyncio.get_running_loop().time()
        self._transport = transport
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        self._keep_alive()
        self._writable = asyncio.Event()
        self._writable.set()
        self._on_writable: list[Callable[[], None]] = []
        self._reading_paused = 0
        self._probe: asyncio.TimerHandle | None = None

    @property
    def congested(self) -> bool:
        """The client takes less than it is sent."""
        return not self._writable.is_set()

    @property
    def backlog(self) -> int:
        """Bytes written and not yet sent."""
        return 0 if self.lost.is_set() else self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if data and not self.lost.is_set():
            self.last_activity = asyncio.get_running_loop().time()
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
                self._transport.abort()  # it makes us answer, with pings for example, and never reads

    async def writable(self) -> None:
        """Returns when the client has caught up, or is gone."""
        await self._writable.wait()

    def when_writable(self, callback: Callable[[], None]) -> None:
        self._on_writable.append(callback)

    def pause_reading(self) -> None:
        """Counted: each needs its ``resume_reading``."""
        self._reading_paused += 1
        if self._reading_paused == 1 and not self._transport.is_closing():
            self._transport.pause_reading()
            self._probe_later()

    def resume_reading(self) -> None:
        self._reading_paused -= 1
        if self._reading_paused == 0:
            if self._probe is not None:
                self._probe.cancel()
            if not self._transport.is_closing():
                self._transport.resume_reading()

    async def close(self) -> None:
        """Sends what is written, then ends; bounded. A plain close would discard it if input is unread."""
        if not self.lost.is_set():
            self.on_bytes = _ignore
            while self._reading_paused:
                self.resume_reading()
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write_eof()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.lost.wait(), _CLOSE_SECONDS)
        self.abort()

    def abort(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
        self._transport.abort()

    def release(self) -> None:
        """After the session: lets go of what refers back to it, so that its buffers go at once."""
        self.on_bytes = _ignore
        self._on_writable.clear()

    # Called by the protocol object -------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        self.last_activity = asyncio.get_running_loop().time()
        self.on_bytes(data)

    def connection_lost(self) -> None:
        self.lost.set()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
        for callback in self._on_writable:
            callback()

    def _keep_alive(self) -> None:
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):  # it is gone already, which the transport tells by itself
                keep_alive(connection, idle=_IDLE_SECONDS, interval=_INTERVAL_SECONDS, count=_COUNT)

    @property
    def _socket(self) -> socket.socket | None:
        return cast("socket.socket | None", self._transport.get_extra_info("socket"))

    def _probe_later(self) -> None:
        # asyncio does not watch a connection that it does not read from
        self._probe = asyncio.get_running_loop().call_later(_PROBE_SECONDS, self._probe_now)

    def _probe_now(self) -> None:
        connection = self._socket
        try:
            gone = (
                connection is None
                or connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _TCP_GONE
            )
        except OSError:
            gone = True
        if gone:
            self._transport.abort()
        else:
            self._probe_later()


def _ignore(_: bytes) -> None:
    pass
