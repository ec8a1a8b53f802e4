"""SPDY/3.1, the client's side, blocking: open streams, send, and read what each stream says."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

from installer.verify.check import Failed
from installer.verify.host import ByteStream
from installer.verify.streaming.patience import wait_until
from pycri.streaming.spdy.client import Event, SpdyClientConnection, StreamAccepted
from pycri.streaming.spdy.connection import DataReceived, StreamEnded, StreamReset
from pycri.streaming.spdy.errors import SpdyError


class SpdyClient:
    """One upgraded connection. Everything received is kept per stream."""

    def __init__(self, stream: ByteStream, received: bytes = b"") -> None:
        self._stream = stream
        self._early = received
        self._connection = SpdyClientConnection()
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
        stream_id = self._connection.open(headers, fin=fin)
        self._flush()
        self.data[stream_id] = b""
        return stream_id

    def send(self, stream_id: int, data: bytes, *, fin: bool = False) -> None:
        """A data frame."""
        self._connection.send(stream_id, data, fin=fin)
        self._flush()

    def wait_data(self, stream_id: int, wanted: bytes, *, timeout: float = 30.0) -> None:
        """Until the stream has said `wanted`. Raises Failed."""
        wait_until(
            lambda: wanted in self.data[stream_id] or stream_id in self.ended,
            self,
            f"{wanted!r} on stream {stream_id}",
            timeout,
        )
        if wanted not in self.data[stream_id]:
            raise Failed(f"the stream ended after {self.data[stream_id][-200:]!r}, without {wanted!r}")

    def wait_end(self, *stream_ids: int, timeout: float = 30.0) -> None:
        """Until the server has ended the streams. Raises Failed."""
        wait_until(
            lambda: self.closed or self.ended.issuperset(stream_ids),
            self,
            f"the end of streams {stream_ids}",
            timeout,
        )

    def wait_reply(self, *stream_ids: int, timeout: float = 30.0) -> None:
        """Until the server has accepted the streams. Raises Failed."""
        wait_until(
            lambda: self.replied.issuperset(stream_ids), self, f"replies to streams {stream_ids}", timeout
        )

    def heard(self) -> str:
        """Which streams were reset, and with what status."""
        return f"resets: {self.resets or 'none'}"

    def _flush(self) -> None:
        try:
            self._stream.sendall(self._connection.take_output())
        except OSError as error:
            raise Failed(f"the streaming connection broke: {error}") from None

    def receive(self, timeout: float) -> None:
        """Take in what comes within `timeout` seconds, if anything does."""
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
            for event in self._connection.receive(data):
                self._take(event)
        except SpdyError as error:
            raise Failed(f"the server's SPDY is malformed: {error}") from None
        self._flush()

    def _take(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
        elif isinstance(event, StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, StreamAccepted):
            self.replied.add(event.stream_id)
        elif isinstance(event, StreamReset):
            self.resets[event.stream_id] = event.status
            self.ended.add(event.stream_id)
