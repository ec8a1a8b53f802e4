"""One SPDY connection, the server's side: stream states, events, and the bytes to send."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from pycri.streaming.spdy import frames
from pycri.streaming.spdy.errors import GoAwayStatus, ResetStatus, SpdyError
from pycri.streaming.spdy.frames import ControlFrame, DataFrame, FrameReader
from pycri.streaming.spdy.headers import HeaderDecoder, HeaderEncoder

MAX_STREAMS = 512  # open at one time; a port-forwarded connection takes two


@dataclass(frozen=True)
class StreamOpened:
    """The peer has opened a stream; answer with ``reply`` or ``reset``."""

    stream_id: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class DataReceived:
    stream_id: int
    data: bytes


@dataclass(frozen=True)
class StreamEnded:
    """The peer sends nothing more on the stream."""

    stream_id: int


@dataclass(frozen=True)
class StreamReset:
    """The peer has given the stream up in both directions."""

    stream_id: int
    status: int


@dataclass(frozen=True)
class ConnectionEnding:
    """The peer opens no further stream."""


Event = StreamOpened | DataReceived | StreamEnded | StreamReset | ConnectionEnding


class State(Enum):
    OPEN = auto()
    HALF_CLOSED_REMOTE = auto()  # the peer has sent FIN
    HALF_CLOSED_LOCAL = auto()  # we have
    CLOSED = auto()


class Input(Enum):
    RECEIVE_DATA = auto()
    RECEIVE_FIN = auto()
    SEND_DATA = auto()
    SEND_FIN = auto()
    RESET = auto()


# What is missing here is a mistake: the peer's is answered with RST_STREAM, our own is a LookupError.
TRANSITIONS: dict[tuple[State, Input], State] = {
    (State.OPEN, Input.RECEIVE_DATA): State.OPEN,
    (State.OPEN, Input.RECEIVE_FIN): State.HALF_CLOSED_REMOTE,
    (State.OPEN, Input.SEND_DATA): State.OPEN,
    (State.OPEN, Input.SEND_FIN): State.HALF_CLOSED_LOCAL,
    (State.OPEN, Input.RESET): State.CLOSED,
    (State.HALF_CLOSED_REMOTE, Input.SEND_DATA): State.HALF_CLOSED_REMOTE,
    (State.HALF_CLOSED_REMOTE, Input.SEND_FIN): State.CLOSED,
    (State.HALF_CLOSED_REMOTE, Input.RESET): State.CLOSED,
    (State.HALF_CLOSED_LOCAL, Input.RECEIVE_DATA): State.HALF_CLOSED_LOCAL,
    (State.HALF_CLOSED_LOCAL, Input.RECEIVE_FIN): State.CLOSED,
    (State.HALF_CLOSED_LOCAL, Input.RESET): State.CLOSED,
}


class SpdyConnection:
    """``receive`` takes the peer's bytes, ``take_output`` gives ours; nothing else crosses the border."""

    def __init__(self) -> None:
        self._reader = FrameReader()
        self._encoder = HeaderEncoder()
        self._decoder = HeaderDecoder()
        self._streams: dict[int, State] = {}
        self._last_stream = 0
        self._last_refused = 0
        self._output: list[bytes] = []
        self._ended = False

    def receive(self, data: bytes) -> list[Event]:
        """Raises SpdyError when the connection cannot go on; a GOAWAY frame is in the output then."""
        events: list[Event] = []
        if self._ended:
            return events
        try:
            for frame in self._reader.feed(data):
                if isinstance(frame, DataFrame):
                    events += self._data(frame)
                else:
                    # SETTINGS, WINDOW_UPDATE and unknown types change nothing here
                    handler = _HANDLERS.get(frame.type)
                    events += handler(self, frame) if handler else ()
        except SpdyError as error:
            self.goaway(error.status)
            self._streams.clear()
            raise
        return events

    def take_output(self) -> bytes:
        """What is to be sent, once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def is_writable(self, stream_id: int) -> bool:
        return self._streams.get(stream_id) in (State.OPEN, State.HALF_CLOSED_REMOTE)

    def is_known(self, stream_id: int) -> bool:
        """Whether the stream is open in some direction."""
        return stream_id in self._streams

    def reply(self, stream_id: int, headers: Mapping[str, str] | None = None) -> None:
        """Accepts a stream that the peer has opened."""
        body = struct.pack(">I", stream_id) + self._encoder.encode(headers or {})
        self._output.append(frames.control_frame(frames.SYN_REPLY, body))

    def send(self, stream_id: int, data: bytes, fin: bool = False) -> None:
        """Sends on a stream that is writable. LookupError: it is not."""
        for start in range(0, max(len(data), 1), 0xFFFFFF):
            piece = data[start : start + 0xFFFFFF]
            last = start + 0xFFFFFF >= len(data)
            self._step(stream_id, Input.SEND_FIN if fin and last else Input.SEND_DATA)
            self._output.append(frames.data_frame(stream_id, piece, fin and last))

    def end(self, stream_id: int) -> None:
        """Half-closes our direction; one that is closed already stays so."""
        if self.is_writable(stream_id):
            self.send(stream_id, b"", fin=True)

    def reset(self, stream_id: int, status: ResetStatus) -> None:
        """Gives a stream up in both directions."""
        self._streams.pop(stream_id, None)
        body = struct.pack(">II", stream_id, status)
        self._output.append(frames.control_frame(frames.RST_STREAM, body))

    def goaway(self, status: GoAwayStatus = GoAwayStatus.OK) -> None:
        """The last frame: further input is ignored."""
        if not self._ended:
            self._ended = True
            body = struct.pack(">II", self._last_stream, status)
            self._output.append(frames.control_frame(frames.GOAWAY, body))

    def _step(self, stream_id: int, step: Input) -> None:
        state = TRANSITIONS[self._streams.get(stream_id, State.CLOSED), step]
        if state is State.CLOSED:
            del self._streams[stream_id]
        else:
            self._streams[stream_id] = state

    def _data(self, frame: DataFrame) -> list[Event]:
        stream_id = frame.stream_id
        try:
            self._step(stream_id, Input.RECEIVE_FIN if frame.fin else Input.RECEIVE_DATA)
        except LookupError:
            # Data that was under way when we reset the stream is no mistake, so one answer is enough.
            if stream_id not in self._streams and stream_id <= self._last_stream:
                return []
            if stream_id != self._last_refused:
                self._last_refused = stream_id
                self.reset(stream_id, ResetStatus.INVALID_STREAM)
            return []
        events: list[Event] = [DataReceived(stream_id, frame.data)] if frame.data else []
        return [*events, StreamEnded(stream_id)] if frame.fin else events

    def _syn_stream(self, frame: ControlFrame) -> list[Event]:
        stream_id = frame.uint31()
        headers = self._decoder.decode(frame.body[10:])  # always: the compression state is the connection's
        if stream_id % 2 == 0 or stream_id <= self._last_stream:
            raise SpdyError(f"stream id {stream_id} after {self._last_stream}: not odd, or not increasing")
        self._last_stream = stream_id
        if len(self._streams) >= MAX_STREAMS:
            self.reset(stream_id, ResetStatus.REFUSED_STREAM)
            return []
        self._streams[stream_id] = State.OPEN
        opened = StreamOpened(stream_id, headers)
        if frame.flags & frames.FLAG_FIN:
            self._step(stream_id, Input.RECEIVE_FIN)
            return [opened, StreamEnded(stream_id)]
        return [opened]

    def _syn_reply(self, frame: ControlFrame) -> list[Event]:
        raise SpdyError(f"SYN_REPLY for stream {frame.uint31()}, which this side never opened")

    def _headers(self, frame: ControlFrame) -> list[Event]:
        self._decoder.decode(frame.body[4:])
        stream_id = frame.uint31()
        if frame.flags & frames.FLAG_FIN and self._streams.get(stream_id) in (
            State.OPEN,
            State.HALF_CLOSED_LOCAL,
        ):
            self._step(stream_id, Input.RECEIVE_FIN)
            return [StreamEnded(stream_id)]
        return []

    def _rst_stream(self, frame: ControlFrame) -> list[Event]:
        stream_id = frame.uint31()
        if stream_id not in self._streams:
            return []
        self._step(stream_id, Input.RESET)
        return [StreamReset(stream_id, frame.uint32(4))]

    def _ping(self, frame: ControlFrame) -> list[Event]:
        if frame.uint32() % 2:  # the client's have odd ids; an even one answers a ping that we never sent
            self._output.append(frames.control_frame(frames.PING, frame.body[:4]))
        return []

    def _goaway(self, _: ControlFrame) -> list[Event]:
        return [ConnectionEnding()]


# Beside the class: bound methods in each connection would tie it to itself, and hold its 300 KB of zlib state
# until a garbage collection.
_HANDLERS: dict[int, Callable[[SpdyConnection, ControlFrame], list[Event]]] = {
    frames.SYN_STREAM: SpdyConnection._syn_stream,
    frames.RST_STREAM: SpdyConnection._rst_stream,
    frames.PING: SpdyConnection._ping,
    frames.GOAWAY: SpdyConnection._goaway,
    frames.HEADERS: SpdyConnection._headers,
    frames.SYN_REPLY: SpdyConnection._syn_reply,
}
