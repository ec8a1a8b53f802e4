"""SPDY/3 frames: cut out of the byte stream, and put together."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pycri.streaming.spdy.errors import SpdyError

VERSION = 3
MAX_CONTROL_BYTES = 16 * 1024
FLAG_FIN = 1
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9

_MINIMUM = {SYN_STREAM: 10, SYN_REPLY: 4, RST_STREAM: 8, SETTINGS: 4, PING: 4, GOAWAY: 4, HEADERS: 4}
_STREAM_MASK = 0x7FFFFFFF


@dataclass(frozen=True)
class ControlFrame:
    type: int
    flags: int
    body: bytes

    def uint31(self, offset: int = 0) -> int:
        """A stream id, or another number of 31 bits, in the body."""
        value: int = struct.unpack_from(">I", self.body, offset)[0]
        return value & _STREAM_MASK

    def uint32(self, offset: int = 0) -> int:
        value: int = struct.unpack_from(">I", self.body, offset)[0]
        return value


@dataclass(frozen=True)
class DataFrame:
    """Data as it arrived: a long frame comes in pieces, and only the last one has ``fin``."""

    stream_id: int
    data: bytes
    fin: bool


class FrameReader:
    """Holds at most one unfinished control frame; data is handed on at once, never gathered."""

    def __init__(self) -> None:
        self._buffer = b""
        self._data_left = 0
        self._data_stream = 0
        self._data_fin = False

    def feed(self, data: bytes) -> Iterator[ControlFrame | DataFrame]:
        """The frames in ``data`` and what was left before. Raises SpdyError."""
        buffer = self._buffer + data if self._buffer else data
        position = 0
        try:
            while True:
                if self._data_left:
                    piece = buffer[position : position + self._data_left]
                    if not piece:
                        return
                    position += len(piece)
                    self._data_left -= len(piece)
                    yield DataFrame(self._data_stream, piece, self._data_fin and not self._data_left)
                    continue
                if len(buffer) - position < 8:
                    return
                first, second = struct.unpack_from(">II", buffer, position)
                flags, length = second >> 24, second & 0xFFFFFF
                if not first >> 31:
                    position += 8
                    yield from self._begin_data(first, flags, length)
                    continue
                _check_control(first, length)
                if len(buffer) - position - 8 < length:
                    return
                body = buffer[position + 8 : position + 8 + length]
                position += 8 + length
                yield ControlFrame(first & 0xFFFF, flags, body)
        finally:
            self._buffer = buffer[position:]

    def _begin_data(self, stream_id: int, flags: int, length: int) -> Iterator[DataFrame]:
        self._data_left, self._data_stream, self._data_fin = length, stream_id, bool(flags & FLAG_FIN)
        if not length:
            yield DataFrame(stream_id, b"", self._data_fin)


def _check_control(first: int, length: int) -> None:
    version, kind = (first >> 16) & 0x7FFF, first & 0xFFFF
    if version != VERSION:
        raise SpdyError(f"a frame of SPDY version {version}; this is version {VERSION}")
    if length > MAX_CONTROL_BYTES:
        raise SpdyError(f"a control frame of {length} bytes, more than {MAX_CONTROL_BYTES}")
    if length < _MINIMUM.get(kind, 0):
        raise SpdyError(f"a control frame of type {kind} with {length} bytes is too short")


def data_frame(stream_id: int, data: bytes, fin: bool = False) -> bytes:
    return struct.pack(">II", stream_id, (FLAG_FIN if fin else 0) << 24 | len(data)) + data


def control_frame(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">II", 1 << 31 | VERSION << 16 | kind, flags << 24 | len(body)) + body
