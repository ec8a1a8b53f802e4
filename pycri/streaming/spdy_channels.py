"""Exec and attach over SPDY: one stream each for error, stdin, stdout, stderr and resize. Without I/O."""

from __future__ import annotations

from collections.abc import Iterable

from pycri.streaming.channels import (
    ChannelEvent,
    ProtocolError,
    Ready,
    Resize,
    ResizeParser,
    StdinData,
    StdinEnd,
)
from pycri.streaming.spdy.connection import (
    DataReceived,
    Event,
    SpdyConnection,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from pycri.streaming.spdy.errors import ResetStatus, SpdyError
from pycri.streaming.status import Status

#: By preference; the number is the protocol's version.
PROTOCOLS = {
    "v4.channel.k8s.io": 4,
    "v3.channel.k8s.io": 3,
    "v2.channel.k8s.io": 2,
    "channel.k8s.io": 1,
}


class SpdyChannels:
    """``names``: the streams of stdin, stdout and stderr that the session has."""

    def __init__(self, version: int, names: Iterable[str], *, tty: bool) -> None:
        self._version = version
        self._missing = {"error", *names} | ({"resize"} if tty and version >= 3 else set())
        self._spdy = SpdyConnection()
        self._by_name: dict[str, int] = {}
        self._by_id: dict[int, str] = {}
        self._resize = ResizeParser()

    def start(self) -> list[ChannelEvent]:
        return []

    def receive(self, data: bytes) -> list[ChannelEvent]:
        try:
            return [seen for event in self._spdy.receive(data) for seen in self._translate(event)]
        except SpdyError as error:
            raise ProtocolError(str(error)) from error

    def send(self, name: str, data: bytes) -> None:
        stream_id = self._by_name.get(name, 0)
        if self._spdy.is_writable(stream_id):
            self._spdy.send(stream_id, data)

    def finish(self, status: Status) -> None:
        for name in ("stdout", "stderr", "stdin", "resize"):
            self._spdy.end(self._by_name.get(name, 0))
        error = self._by_name.get("error", 0)
        if self._spdy.is_writable(error):
            self._spdy.send(error, status.encode(self._version), fin=True)
        self._spdy.goaway()

    def take_output(self) -> bytes:
        return self._spdy.take_output()

    def _translate(self, event: Event) -> list[ChannelEvent]:
        if isinstance(event, StreamOpened):
            return self._opened(event)
        if isinstance(event, DataReceived):
            return self._data(event)
        if isinstance(event, StreamEnded | StreamReset):
            ended = self._by_id.get(event.stream_id) == "stdin"
            return [StdinEnd()] if ended else []
        return []  # the client opens no further stream: it has all it needs

    def _opened(self, event: StreamOpened) -> list[ChannelEvent]:
        name = event.headers.get("streamtype", "")
        if name not in self._missing:
            self._spdy.reset(event.stream_id, ResetStatus.REFUSED_STREAM)
            return []
        self._missing.discard(name)
        self._by_name[name] = event.stream_id
        self._by_id[event.stream_id] = name
        self._spdy.reply(event.stream_id)
        return [] if self._missing else [Ready()]

    def _data(self, event: DataReceived) -> list[ChannelEvent]:
        name = self._by_id.get(event.stream_id)
        if name == "stdin":
            return [StdinData(event.data)]
        if name == "resize":
            sizes: list[Resize] = list(self._resize.feed(event.data))
            return [*sizes]
        return []
