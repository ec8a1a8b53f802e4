"""One WebSocket connection after its handshake."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MAX_FRAME_BYTES = 64 << 20  # data is handed on as it comes, so this bounds nothing but nonsense
_MAX_CONTROL_BYTES = 125
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class CloseCode(IntEnum):
    """RFC 6455, 7.4.1."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011


class WebSocketError(Exception):
    """The connection cannot go on; ``code`` is for the close frame."""

    code = CloseCode.PROTOCOL_ERROR


@dataclass(frozen=True)
class MessagePiece:
    """A piece of a message, as it arrived: ``first`` and ``last`` mark the message's ends."""

    binary: bool
    data: bytes
    first: bool
    last: bool


@dataclass(frozen=True)
class Closed:
    """The peer has sent its close frame; ours is in the output."""

    code: int


Event = MessagePiece | Closed


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for the client's Sec-WebSocket-Key (RFC 6455, 4.2.2). ValueError: not a key."""
    if len(base64.b64decode(key, validate=True)) != 16:
        raise ValueError("Sec-WebSocket-Key must be 16 bytes in base64")
    # the RFC's choice of hash; it protects nothing
    return base64.b64encode(hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()).decode()


class WebSocketConnection:
    """``receive`` takes the peer's bytes, ``take_output`` gives ours."""

    def __init__(self) -> None:
        self._buffer = bytearray()  # cheap to cut at its front, unlike bytes
        self._output: list[bytes] = []
        self._opcode = 0  # of the message under way; 0: none
        self._first = False
        self._left = 0  # bytes of the data frame under way
        self._fin = False
        self._mask = b""
        self._closing = False
        self._ended = False

    def receive(self, data: bytes) -> list[Event]:
        """Raises WebSocketError when the connection cannot go on; the close frame is in the output then."""
        events: list[Event] = []
        self._buffer += data
        try:
            while not self._ended and self._advance(events):
                pass
        except WebSocketError as error:
            self.close(error.code, str(error))
            self._ended = True
            raise
        if self._ended:
            self._buffer.clear()
        return events

    def take_output(self) -> bytes:
        output = b"".join(self._output)
        self._output.clear()
        return output

    def send(self, data: bytes, *, binary: bool = True) -> None:
        """One message; nothing once the close frame is out."""
        if not self._closing:
            self._output.append(_frame(BINARY if binary else TEXT, data))

    def close(self, code: CloseCode = CloseCode.NORMAL, reason: str = "") -> None:
        if not self._closing:
            self._closing = True
            text = reason.encode()[: _MAX_CONTROL_BYTES - 2].decode("utf-8", "ignore").encode()
            self._output.append(_frame(CLOSE, struct.pack(">H", code) + text))

    def _advance(self, events: list[Event]) -> bool:
        """One step through the buffer; False when more bytes are needed."""
        if self._left:
            return self._piece(events)
        if len(self._buffer) < 2:
            return False
        head, second = self._buffer[0], self._buffer[1]
        opcode, length, offset = head & 0x0F, second & 0x7F, 2
        self._check(head, second, opcode)
        if length >= 126:
            form, size = (">H", 2) if length == 126 else (">Q", 8)
            if len(self._buffer) < offset + size:
                return False
            (length,) = struct.unpack_from(form, self._buffer, offset)
            offset += size
            if length > MAX_FRAME_BYTES:
                raise WebSocketError(f"a frame of {length} bytes")
        if len(self._buffer) < offset + 4:
            return False
        mask = bytes(self._buffer[offset : offset + 4])
        offset += 4
        if opcode >= CLOSE:
            if len(self._buffer) < offset + length:
                return False
            payload = _unmask(self._buffer[offset : offset + length], mask)
            del self._buffer[: offset + length]
            self._control(opcode, payload, events)
            return True
        del self._buffer[:offset]
        self._begin(opcode, bool(head & 0x80), length, mask, events)
        return True

    def _check(self, head: int, second: int, opcode: int) -> None:
        if head & 0x70:
            raise WebSocketError("a reserved bit is set, and no extension was agreed on")
        if not second & 0x80:
            raise WebSocketError("a client's frame must be masked")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise WebSocketError(f"unknown opcode {opcode}")
        if opcode >= CLOSE and (not head & 0x80 or second & 0x7F > _MAX_CONTROL_BYTES):
            raise WebSocketError("a control frame is fragmented or longer than 125 bytes")
        if (opcode == CONTINUATION) != bool(self._opcode) and opcode < CLOSE:
            raise WebSocketError("a message begins within another, or continues none")

    def _begin(self, opcode: int, fin: bool, length: int, mask: bytes, events: list[Event]) -> None:
        self._first = opcode != CONTINUATION
        self._opcode = opcode or self._opcode
        self._left, self._fin, self._mask = length, fin, mask
        if not length and (self._first or fin):
            self._emit(b"", events)

    def _piece(self, events: list[Event]) -> bool:
        piece = self._buffer[: self._left]
        if not piece:
            return False
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        plain = _unmask(piece, self._mask)
        turn = len(piece) % 4
        self._mask = self._mask[turn:] + self._mask[:turn]
        self._emit(plain, events)
        return True

    def _emit(self, data: bytes, events: list[Event]) -> None:
        last = self._fin and not self._left
        events.append(MessagePiece(self._opcode == BINARY, data, self._first, last))
        self._first = False
        if last:
            self._opcode = 0

    def _control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        if opcode == PING:
            if not self._closing:
                self._output.append(_frame(PONG, payload))
        elif opcode == CLOSE:
            if len(payload) == 1:
                raise WebSocketError("a close frame of one byte")
            code = struct.unpack_from(">H", payload)[0] if payload else 1005
            self.close()
            self._ended = True
            events.append(Closed(code))


def _frame(opcode: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        head = struct.pack(">BB", 0x80 | opcode, length)
    elif length < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 126, length)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, length)
    return head + payload


def _unmask(data: bytes | bytearray, mask: bytes) -> bytes:
    """XOR over all bytes at once, as one large number: a loop in Python would be a hundred times slower."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
