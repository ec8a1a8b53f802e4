"""Exec and attach over WebSocket: each message begins with its channel's number. Without I/O."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from pycri.streaming.channels import (
    ChannelEvent,
    ClientGone,
    ProtocolError,
    Ready,
    ResizeParser,
    StdinData,
    StdinEnd,
)
from pycri.streaming.status import Status
from pycri.streaming.websocket.connection import Closed, MessagePiece, WebSocketConnection, WebSocketError

#: By preference; version and whether messages are text in base64.
PROTOCOLS = {
    "v5.channel.k8s.io": (5, False),
    "v4.channel.k8s.io": (4, False),
    "v4.base64.channel.k8s.io": (4, True),
    "channel.k8s.io": (1, False),
    "base64.channel.k8s.io": (1, True),
}
_NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2, "error": 3, "resize": 4}
_CLOSE_SIGNAL = 255  # v5: the next byte names the channel that the client closes
_SEND_BYTES = 30 * 1024


class WebSocketChannels:
    """``names``: the streams of stdin, stdout and stderr that the session has."""

    def __init__(self, version: int, names: Iterable[str], *, tty: bool, base64_text: bool = False) -> None:
        self._version = version
        self._names = {*names} | ({"resize"} if tty else set())
        self._messages = ChannelMessages(base64_text=base64_text)
        self._resize = ResizeParser()

    def start(self) -> list[ChannelEvent]:
        # An empty message tells clients that the session stands before there is any output.
        first = next((name for name in ("stdout", "stderr") if name in self._names), "error")
        self._messages.send(_NUMBERS[first], b"")
        return [Ready()]

    def receive(self, data: bytes) -> list[ChannelEvent]:
        events: list[ChannelEvent] = []
        for number, chunk in self._messages.receive(data):
            events += self._translate(number, chunk)
        if self._messages.closed:
            events.append(ClientGone())
        return events

    def send(self, name: str, data: bytes) -> None:
        if name in self._names:
            self._messages.send(_NUMBERS[name], data)

    def finish(self, status: Status) -> None:
        message = status.encode(self._version)
        if message:
            self._messages.send(_NUMBERS["error"], message)
        self._messages.close()

    def take_output(self) -> bytes:
        return self._messages.take_output()

    def _translate(self, number: int, chunk: bytes) -> list[ChannelEvent]:
        if number == _NUMBERS["stdin"] and "stdin" in self._names:
            return [StdinData(chunk)] if chunk else []
        if number == _NUMBERS["resize"] and "resize" in self._names:
            return [*self._resize.feed(chunk)]
        if number == _CLOSE_SIGNAL and self._version >= 5 and chunk[:1] == bytes([_NUMBERS["stdin"]]):
            return [StdinEnd()]
        return []


class ChannelMessages:
    """Messages of (channel, bytes), binary or in base64; data is handed on as it arrives."""

    def __init__(self, *, base64_text: bool = False) -> None:
        self.closed = False
        self._base64 = base64_text
        self._websocket = WebSocketConnection()
        self._channel = -1  # of the message under way; -1: its first byte has not come yet
        self._carry = b""  # base64 digits short of a group of four

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        """Raises ProtocolError."""
        try:
            events = self._websocket.receive(data)
            found: list[tuple[int, bytes]] = []
            for event in events:
                if isinstance(event, Closed):
                    self.closed = True
                else:
                    found += self._piece(event)
        except WebSocketError as error:
            raise ProtocolError(str(error)) from error
        except binascii.Error as error:
            self._websocket.close(WebSocketError.code, "not base64")
            raise ProtocolError(f"a message is not base64: {error}") from error
        return found

    def send(self, channel: int, data: bytes) -> None:
        for start in range(0, max(len(data), 1), _SEND_BYTES):
            piece = data[start : start + _SEND_BYTES]
            if self._base64:
                self._websocket.send(b"%d" % channel + base64.b64encode(piece), binary=False)
            else:
                self._websocket.send(bytes([channel]) + piece)

    def close(self) -> None:
        self._websocket.close()

    def take_output(self) -> bytes:
        return self._websocket.take_output()

    def _piece(self, event: MessagePiece) -> list[tuple[int, bytes]]:
        data = event.data
        if event.first:
            self._channel, self._carry = -1, b""
        if self._channel < 0:
            if not data:
                return []
            self._channel, data = self._first_byte(data[0]), data[1:]
        if self._base64:
            digits = self._carry + data
            whole = len(digits) - len(digits) % 4
            if event.last and whole != len(digits):
                raise binascii.Error("its length is not a multiple of four")
            self._carry = digits[whole:]
            data = base64.b64decode(digits[:whole], validate=True)
        return [(self._channel, data)]

    def _first_byte(self, byte: int) -> int:
        if not self._base64:
            return byte
        if not 0x30 <= byte <= 0x39:
            raise binascii.Error("its first character is not a digit")
        return byte - 0x30
