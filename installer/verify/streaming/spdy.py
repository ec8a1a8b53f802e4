"""SPDY/3.1, the client's side, blocking: open streams, send, and read what each stream says."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType

from installer.verify.check import Failed
from installer.verify.host import ByteStream
from pycri.streaming.spdy import frames
from pycri.streaming.spdy.errors import SpdyError
from pycri.streaming.spdy.frames import ControlFrame, DataFrame, FrameReader
from pycri.streaming.spdy.headers import HeaderDecoder, HeaderEncoder


class SpdyClient:
    """One upgraded connection. Everything received is kept per stream."""

    def __init__(self, stream: ByteStream, received: bytes = b"") -> None:
        self._stream = stream
        self._early = received
        self._reader = FrameReader()
        self._encoder, self._decoder = HeaderEncoder(), HeaderDecoder()
        self._next_id = 1
        self.data: dict[int, bytes] = {}
        self.replied: set[int] = set()
        self.ended: set[int] = set()
        """Streams on which the server says no more; all of them once the connection is at its end."""
        self.resets: dict[int, int] = {}
        self.closed = False

    def __enter__(self) -> SpdyClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._stream.close()

    def open(self, headers: Mapping[str, str], *, fin: bool = False) -> int:
        """SYN_STREAM; returns the stream's id."""
        stream_id, self._next_id = self._next_id, self._next_id + 2
        body = struct.pack(">IIH", stream_id, 0, 0) + self._encoder.encode(headers)
        self._send(frames.control_frame(frames.SYN_STREAM, body, frames.FLAG_FIN if fin else 0))
        self.data[stream_id] = b""
        return stream_id

    def send(self, stream_id: int, data: bytes, *, fin: bool = False) -> None:
        """A data frame."""
        self._send(frames.data_frame(stream_id, data, fin))

    def wait_data(self, stream_id: int, wanted: bytes, *, timeout: float = 30.0) -> None:
        """Until the stream has said `wanted`. Raises Failed."""
        self._wait(
            lambda: wanted in self.data[stream_id] or stream_id in self.ended,
            f"{wanted!r} on stream {stream_id}",
            timeout,
        )
        if wanted not in self.data[stream_id]:
            raise Failed(f"the stream ended after {self.data[stream_id][-200:]!r}, without {wanted!r}")

    def wait_end(self, *stream_ids: int, timeout: float = 30.0) -> None:
        """Until the server has ended the streams. Raises Failed."""
        self._wait(
            lambda: self.closed or self.ended.issuperset(stream_ids),
            f"the end of streams {stream_ids}",
            timeout,
        )

    def wait_reply(self, *stream_ids: int, timeout: float = 30.0) -> None:
        """Until the server has accepted the streams. Raises Failed."""
        self._wait(lambda: self.replied.issuperset(stream_ids), f"replies to streams {stream_ids}", timeout)

    def _wait(self, done: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            left = deadline - time.monotonic()
            if self.closed:
                raise Failed(f"the connection ended before {what}; resets: {self.resets or 'none'}")
            if left <= 0:
                raise Failed(f"{what}: not within {timeout:.0f} s")
            self._receive(left)

    def _send(self, data: bytes) -> None:
        try:
            self._stream.sendall(data)
        except OSError as error:
            raise Failed(f"the streaming connection broke: {error}") from None

    def _receive(self, timeout: float) -> None:
        data, self._early = self._early, b""
        if not data:
            self._stream.settimeout(timeout)
            try:
                data = self._stream.recv(65536)
            except TimeoutError:
                return
            except OSError:
                data = b""
        if not data:
            self.closed = True
            self.ended.update(self.data)
            return
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except SpdyError as error:
            raise Failed(f"the server's SPDY is malformed: {error}") from None

    def _take(self, frame: ControlFrame | DataFrame) -> None:
        if isinstance(frame, DataFrame):
            self.data[frame.stream_id] = self.data.get(frame.stream_id, b"") + frame.data
            if frame.fin:
                self.ended.add(frame.stream_id)
        elif frame.type == frames.SYN_REPLY:
            self._decoder.decode(frame.body[4:])  # always: the compression state is the connection's
            self.replied.add(frame.uint31())
            if frame.flags & frames.FLAG_FIN:
                self.ended.add(frame.uint31())
        elif frame.type == frames.RST_STREAM:
            self.resets[frame.uint31()] = frame.uint32(4)
            self.ended.add(frame.uint31())
        elif frame.type == frames.PING and not frame.uint32() % 2:  # the server's own have even ids
            self._send(frames.control_frame(frames.PING, frame.body[:4]))
