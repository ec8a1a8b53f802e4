"""One SPDY connection, the client's side, without I/O: opens streams, and takes what the server says."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from pycri.streaming.spdy import frames
from pycri.streaming.spdy.connection import ConnectionEnding, DataReceived, StreamEnded, StreamReset
from pycri.streaming.spdy.frames import ControlFrame, DataFrame, FrameReader
from pycri.streaming.spdy.headers import HeaderDecoder, HeaderEncoder


@dataclass(frozen=True)
class StreamAccepted:
    """The server has answered a stream that we opened."""

    stream_id: int


Event = StreamAccepted | DataReceived | StreamEnded | StreamReset | ConnectionEnding


class SpdyClientConnection:
    """``receive`` takes the server's bytes, ``take_output`` gives ours. Streams have odd ids, in order."""

    def __init__(self) -> None:
        self._reader = FrameReader()
        self._encoder, self._decoder = HeaderEncoder(), HeaderDecoder()
        self._output: list[bytes] = []
        self._next_id = 1

    def open(self, headers: Mapping[str, str], *, fin: bool = False) -> int:
        """A new stream; with `fin` we say nothing on it. Returns its id."""
        stream_id, self._next_id = self._next_id, self._next_id + 2
        body = struct.pack(">IIH", stream_id, 0, 0) + self._encoder.encode(headers)
        self._output.append(frames.control_frame(frames.SYN_STREAM, body, frames.FLAG_FIN if fin else 0))
        return stream_id

    def send(self, stream_id: int, data: bytes, *, fin: bool = False) -> None:
        """Data of less than 16 MiB; with `fin` the last of it."""
        self._output.append(frames.data_frame(stream_id, data, fin))

    def receive(self, data: bytes) -> list[Event]:
        """What has happened. Raises SpdyError: the server's SPDY is malformed, the connection of no use."""
        return [event for frame in self._reader.feed(data) for event in self._take(frame)]

    def take_output(self) -> bytes:
        """What is to be sent, once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def _take(self, frame: ControlFrame | DataFrame) -> list[Event]:
        if isinstance(frame, DataFrame):
            events: list[Event] = [DataReceived(frame.stream_id, frame.data)] if frame.data else []
            return [*events, StreamEnded(frame.stream_id)] if frame.fin else events
        if frame.type in (frames.SYN_REPLY, frames.HEADERS):
            self._decoder.decode(frame.body[4:])  # always: the compression state is the connection's
            stream_id = frame.uint31()
            accepted: list[Event] = [StreamAccepted(stream_id)] if frame.type == frames.SYN_REPLY else []
            return [*accepted, StreamEnded(stream_id)] if frame.flags & frames.FLAG_FIN else accepted
        if frame.type == frames.RST_STREAM:
            return [StreamReset(frame.uint31(), frame.uint32(4))]
        if frame.type == frames.GOAWAY:
            return [ConnectionEnding()]
        if frame.type == frames.PING and not frame.uint32() % 2:  # the server's own have even ids
            self._output.append(frames.control_frame(frames.PING, frame.body[:4]))
        return []
