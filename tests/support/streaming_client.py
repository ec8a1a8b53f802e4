"""Clients of the streaming server, for tests: SPDY as kubectl speaks it, and WebSocket."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from pycri.streaming.spdy import frames
from pycri.streaming.spdy.frames import ControlFrame, DataFrame, FrameReader
from pycri.streaming.spdy.headers import DICTIONARY, HeaderEncoder


async def upgrade(
    url: str, headers: Mapping[str, str], *, method: str = "POST"
) -> tuple[int, dict[str, str], asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends the request; status, headers, and the connection."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    found = {}
    for line in head[1:-2]:
        name, _, value = line.partition(": ")
        found[name.lower()] = value
    return int(head[0].split()[1]), found, reader, writer


class SpdyClient:
    """One upgraded connection; everything that arrives is kept by stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.data: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.replied: set[int] = set()
        self.resets: dict[int, int] = {}
        self.closed = False
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()
        self._encoder = HeaderEncoder()
        self._decoder = zlib.decompressobj(zdict=DICTIONARY)
        self._next_id = 1
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, url: str, protocol: str = "v4.channel.k8s.io") -> SpdyClient:
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        if protocol:
            headers["X-Stream-Protocol-Version"] = protocol
        status, answer, reader, writer = await upgrade(url, headers)
        assert status == 101, f"{status}: {await reader.read()!r}"
        assert answer.get("x-stream-protocol-version", "") == protocol
        return cls(reader, writer)

    def open(self, **headers: str) -> int:
        """A new stream with these headers; ``_`` becomes nothing, as in streamType."""
        stream_id = self._next_id
        self._next_id += 2
        body = struct.pack(">IIBB", stream_id, 0, 0, 0) + self._encoder.encode(headers)
        self._writer.write(frames.control_frame(frames.SYN_STREAM, body))
        self.data[stream_id] = bytearray()
        return stream_id

    def send(self, stream_id: int, data: bytes, *, fin: bool = False) -> None:
        self._writer.write(frames.data_frame(stream_id, data, fin))

    async def until(self, condition) -> None:  # type: ignore[no-untyped-def]
        """Waits until ``condition()`` holds, at most 20 s."""

        async def wait() -> None:
            async with self._news:
                await self._news.wait_for(lambda: condition() or self.closed)

        await asyncio.wait_for(wait(), 20)
        assert condition(), f"closed early: {self.data} {self.resets}"

    async def text(self, stream_id: int) -> bytes:
        """All of a stream, at its end."""
        await self.until(lambda: stream_id in self.ended)
        return bytes(self.data[stream_id])

    def reset(self) -> None:
        """Leaves as a client does whose machine has lost it: with a reset, whatever is under way."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def close(self) -> None:
        self._task.cancel()
        self._writer.close()
        await asyncio.gather(self._task, self._writer.wait_closed(), return_exceptions=True)

    async def _read(self) -> None:
        while chunk := await self._reader.read(65536):
            async with self._news:
                for frame in self._frames.feed(chunk):
                    self._take(frame)
                self._news.notify_all()
        async with self._news:
            self.closed = True
            self._news.notify_all()

    def _take(self, frame: ControlFrame | DataFrame) -> None:
        if isinstance(frame, DataFrame):
            self.data.setdefault(frame.stream_id, bytearray()).extend(frame.data)
            if frame.fin:
                self.ended.add(frame.stream_id)
        elif frame.type == frames.SYN_REPLY:
            self._decoder.decompress(frame.body[4:])
            self.replied.add(frame.uint31())
        elif frame.type == frames.RST_STREAM:
            self.resets[frame.uint31()] = frame.uint32(4)


class WebSocketClient:
    """One WebSocket; masks as a client must, and gives whole messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, url: str, protocol: str) -> WebSocketClient:
        headers = {
            "Connection": "keep-alive, Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        }
        if protocol:
            headers["Sec-WebSocket-Protocol"] = protocol
        status, answer, reader, writer = await upgrade(url, headers, method="GET")
        assert status == 101, f"{status}: {await reader.read()!r}"
        assert answer.get("sec-websocket-protocol", "") == protocol
        return cls(reader, writer)

    def send(self, data: bytes, opcode: int = 2) -> None:
        mask = os.urandom(4)
        length = len(data)
        head = bytes([0x80 | opcode])
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 1 << 16:
            head += bytes([0x80 | 126]) + struct.pack(">H", length)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", length)
        self._writer.write(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    async def message(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame (this server does not fragment)."""
        head = await asyncio.wait_for(self._reader.readexactly(2), 20)
        length = head[1]
        if length == 126:
            (length,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
        return head[0] & 15, await self._reader.readexactly(length)

    async def channels(self) -> dict[int, bytes]:
        """Every channel's bytes, until the server closes."""
        found: dict[int, bytes] = {}
        while True:
            opcode, data = await self.message()
            if opcode == 8:
                return found
            if opcode == 2:
                found[data[0]] = found.get(data[0], b"") + data[1:]

    async def close(self) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)
