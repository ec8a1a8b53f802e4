"""WebSocket (RFC 6455), the client's side, blocking, with the kubelet's channels: the number comes first."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from contextlib import suppress
from types import TracebackType

from installer.verify.check import Failed
from installer.verify.host import ByteStream, Host
from installer.verify.streaming.patience import wait_until
from installer.verify.streaming.upgrade import open_connection, read_head
from pycri.streaming.upgrade import headers_of

STDIN, STDOUT, STDERR, ERROR = 0, 1, 2, 3
_CLOSE_CHANNEL = 255  # v5: the next byte is the channel that ends
_BINARY, _CLOSE, _PING, _PONG = 0x2, 0x8, 0x9, 0xA
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocketClient:
    """One session. Everything received is kept per channel."""

    def __init__(self, stream: ByteStream, received: bytes) -> None:
        self._stream = stream
        self._buffer = received
        self.data: dict[int, bytes] = {STDOUT: b"", STDERR: b"", ERROR: b""}
        self.closed = False

    @classmethod
    def connect(cls, host: Host, url: str, protocol: str) -> WebSocketClient:
        """Upgrade `url`. Raises Failed."""
        stream, netloc, path = open_connection(host, url)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            f"Sec-WebSocket-Protocol: {protocol}",
        ]
        try:
            stream.settimeout(30.0)
            stream.sendall("\r\n".join([*lines, "", ""]).encode())
            head, rest = read_head(stream)
            _check_answer(head, rest, key, protocol)
        except (OSError, Failed) as error:
            with suppress(OSError):
                stream.close()
            if isinstance(error, Failed):
                raise
            raise Failed(f"the upgrade to WebSocket broke off: {error}") from None
        return cls(stream, rest)

    def __enter__(self) -> WebSocketClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError, Failed):
            if not self.closed:
                self._send(_CLOSE, struct.pack(">H", 1000))
        with suppress(OSError):
            self._stream.close()

    def write(self, data: bytes) -> None:
        """To stdin."""
        self._send(_BINARY, bytes([STDIN]) + data)

    def end_input(self) -> None:
        """End stdin, as v5.channel.k8s.io has it."""
        self._send(_BINARY, bytes([_CLOSE_CHANNEL, STDIN]))

    def wait(self, channel: int, wanted: bytes, *, timeout: float = 30.0) -> None:
        """Until a channel has said `wanted`. Raises Failed."""
        wait_until(lambda: wanted in self.data[channel], self, f"{wanted!r} on channel {channel}", timeout)

    def wait_end(self, *, timeout: float = 30.0) -> None:
        """Until the server has closed the session. Raises Failed."""
        wait_until(lambda: self.closed, self, "the end of the session", timeout)

    def heard(self) -> str:
        """What each channel has said."""
        return f"the channels said {self.data}"

    def receive(self, timeout: float) -> None:
        """Take in what comes within `timeout` seconds, if anything does."""
        while (frame := self._next_frame()) is None:
            self._stream.settimeout(timeout)
            try:
                data = self._stream.recv(65536)
            except TimeoutError:
                return
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return
            self._buffer += data
        opcode, payload = frame
        if opcode == _CLOSE:
            self.closed = True
        elif opcode == _PING:
            self._send(_PONG, payload)
        elif payload and payload[0] in self.data:
            self.data[payload[0]] += payload[1:]

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Opcode and payload; None when there is no whole frame yet. Servers do not mask."""
        if len(self._buffer) < 2:
            return None
        length, offset = self._buffer[1] & 0x7F, 2
        for marker, form, size in ((126, ">H", 2), (127, ">Q", 8)):
            if length == marker:
                if len(self._buffer) < offset + size:
                    return None
                (length,) = struct.unpack_from(form, self._buffer, offset)
                offset += size
                break
        if len(self._buffer) < offset + length:
            return None
        opcode, payload = self._buffer[0] & 0x0F, self._buffer[offset : offset + length]
        self._buffer = self._buffer[offset + length :]
        return opcode, payload

    def _send(self, opcode: int, payload: bytes) -> None:
        mask, length = os.urandom(4), len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | length]) if length < 126 else bytes([0x80 | 126]) + struct.pack(">H", length)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        try:
            self._stream.sendall(head + mask + masked)
        except OSError as error:
            raise Failed(f"the WebSocket connection broke: {error}") from None


def _check_answer(head: str, rest: bytes, key: str, protocol: str) -> None:
    status, headers = headers_of(head)
    if status.split(" ")[1:2] != ["101"]:
        raise Failed(f"the streaming server answers {status!r} to WebSocket: {rest[:200]!r}")
    # SHA-1 is the RFC's choice, and protects nothing
    wanted = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    if headers.get("sec-websocket-accept") != base64.b64encode(wanted).decode():
        raise Failed("the streaming server's Sec-WebSocket-Accept is not the key's")
    if headers.get("sec-websocket-protocol") != protocol:
        raise Failed(f"the server chose {headers.get('sec-websocket-protocol')!r}, not {protocol}")
