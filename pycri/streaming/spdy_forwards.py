"""Port-forward over SPDY: a data and an error stream for each forwarded connection. Without I/O.

The two carry the same ``requestID`` header (or, from very old clients, none: then the error stream comes
right before its data stream).
"""

from __future__ import annotations

from dataclasses import dataclass

from pycri.streaming.channels import ProtocolError
from pycri.streaming.forwards import ForwardData, ForwardEnd, ForwardEvent, ForwardGone, ForwardOpened
from pycri.streaming.spdy.connection import (
    DataReceived,
    Event,
    SpdyConnection,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from pycri.streaming.spdy.errors import ResetStatus, SpdyError

PROTOCOL = "portforward.k8s.io"
PAIR_SECONDS = 30.0


@dataclass
class _Pair:
    error: int = 0
    data: int = 0
    born: float | None = None  # first seen by ``expire``


class SpdyForwards:
    """The key of a connection is its data stream's id."""

    def __init__(self) -> None:
        self._spdy = SpdyConnection()
        self._waiting: dict[str, _Pair] = {}
        self._errors: dict[int, int] = {}  # data stream -> error stream

    def start(self) -> list[ForwardEvent]:
        return []

    def receive(self, data: bytes) -> list[ForwardEvent]:
        try:
            return [seen for event in self._spdy.receive(data) for seen in self._translate(event)]
        except SpdyError as error:
            raise ProtocolError(str(error)) from error

    def send(self, key: int, data: bytes) -> None:
        if self._spdy.is_writable(key):
            self._spdy.send(key, data)

    def end(self, key: int) -> None:
        self._spdy.end(key)

    def fail(self, key: int, message: str) -> None:
        error = self._errors.pop(key, 0)
        if message and self._spdy.is_writable(error):
            self._spdy.send(error, message.encode())
        self._spdy.end(error)
        self._spdy.end(key)
        if self._spdy.is_known(key):  # the client still sends, to nobody
            self._spdy.reset(key, ResetStatus.CANCEL)

    def expire(self, now: float) -> None:
        for request, pair in list(self._waiting.items()):
            if pair.born is None:
                pair.born = now
            elif now - pair.born > PAIR_SECONDS:
                del self._waiting[request]
                for stream_id in filter(None, (pair.error, pair.data)):
                    self._spdy.reset(stream_id, ResetStatus.CANCEL)

    def finish(self) -> None:
        self._spdy.goaway()

    def take_output(self) -> bytes:
        return self._spdy.take_output()

    def _translate(self, event: Event) -> list[ForwardEvent]:
        if isinstance(event, StreamOpened):
            return self._opened(event)
        if isinstance(event, DataReceived) and event.stream_id in self._errors:
            return [ForwardData(event.stream_id, event.data)]
        if isinstance(event, StreamEnded) and event.stream_id in self._errors:
            return [ForwardEnd(event.stream_id)]
        if isinstance(event, StreamReset) and event.stream_id in self._errors:
            return [ForwardGone(event.stream_id)]
        return []

    def _opened(self, event: StreamOpened) -> list[ForwardEvent]:
        kind, port = event.headers.get("streamtype", ""), _port(event.headers.get("port", ""))
        request = event.headers.get("requestid", "") or self._request_by_order(kind, event.stream_id)
        pair = self._waiting.setdefault(request, _Pair())
        if kind not in ("error", "data") or not port or getattr(pair, kind):
            if not (pair.error or pair.data):
                del self._waiting[request]
            self._spdy.reset(event.stream_id, ResetStatus.REFUSED_STREAM)
            return []
        setattr(pair, kind, event.stream_id)
        self._spdy.reply(event.stream_id)
        if not (pair.error and pair.data):
            return []
        del self._waiting[request]
        self._errors[pair.data] = pair.error
        return [ForwardOpened(pair.data, port)]

    @staticmethod
    def _request_by_order(kind: str, stream_id: int) -> str:
        return f"order-{stream_id if kind == 'error' else stream_id - 2}"


def _port(text: str) -> int:
    """0 for what is not a port."""
    return (
        int(text) if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 1 << 16 else 0
    )
