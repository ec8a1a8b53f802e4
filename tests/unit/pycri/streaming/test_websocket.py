from __future__ import annotations

import contextlib
import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycri.streaming.websocket.connection import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    CloseCode,
    Closed,
    MessagePiece,
    WebSocketConnection,
    WebSocketError,
    accept_key,
)


def frame(
    opcode: int, payload: bytes, *, fin: bool = True, mask: bytes = b"abcd", reserved: int = 0
) -> bytes:
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    length = len(payload)
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 1 << 16:
        head += bytes([0x80 | 126]) + struct.pack(">H", length)
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", length)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def messages(events: list[object]) -> list[tuple[bool, bytes]]:
    found: list[tuple[bool, bytes]] = []
    current = b""
    for event in events:
        assert isinstance(event, MessagePiece)
        current = event.data if event.first else current + event.data
        if event.last:
            found.append((event.binary, current))
    return found


def test_accept_key_is_the_rfcs_example() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    for bad in ("", "short", "dGhlIHNhbXBsZSBub25j"):
        with pytest.raises(ValueError):
            accept_key(bad)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.binary(max_size=300), min_size=1, max_size=4)), max_size=4),
    st.lists(st.integers(0, 4000), max_size=10),
    st.binary(min_size=4, max_size=4),
)
def test_any_fragments_any_chunking(
    sent: list[tuple[bool, list[bytes]]], cuts: list[int], mask: bytes
) -> None:
    stream = b""
    for binary, fragments in sent:
        for position, fragment in enumerate(fragments):
            opcode = CONTINUATION if position else (BINARY if binary else TEXT)
            stream += frame(opcode, fragment, fin=position == len(fragments) - 1, mask=mask)
            stream += frame(PING, b"p", mask=mask)
    websocket, events, start = WebSocketConnection(), [], 0
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        events += websocket.receive(stream[start:cut])
        start = max(start, cut)
    assert messages(events) == [(binary, b"".join(fragments)) for binary, fragments in sent]
    assert websocket.take_output() == b"\x8a\x01p" * sum(len(fragments) for _, fragments in sent)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 300_000])
def test_sizes_both_ways(size: int) -> None:
    payload = os.urandom(size)
    websocket = WebSocketConnection()
    assert messages([*websocket.receive(frame(BINARY, payload))]) == [(True, payload)]
    websocket.send(payload)
    output = websocket.take_output()
    assert output.endswith(payload)
    assert len(output) == size + (2 if size < 126 else 4 if size < 65536 else 10)


@pytest.mark.parametrize(
    "bad",
    [
        b"\x82\x00" + b"\0" * 8,  # not masked
        frame(BINARY, b"", reserved=0x40),
        frame(0x3, b""),
        frame(CONTINUATION, b"of nothing"),
        frame(BINARY, b"a", fin=False) + frame(BINARY, b"b"),
        frame(PING, b"x" * 126),
        frame(PING, b"x", fin=False),
        frame(CLOSE, b"x"),
        b"\x82\xff" + struct.pack(">Q", 1 << 40),
    ],
)
def test_mistakes_end_the_connection(bad: bytes) -> None:
    websocket = WebSocketConnection()
    with pytest.raises(WebSocketError):
        websocket.receive(bad)
    output = websocket.take_output()
    assert output[0] == 0x88
    assert struct.unpack(">H", output[2:4]) == (CloseCode.PROTOCOL_ERROR,)
    assert websocket.receive(frame(BINARY, b"ignored")) == []


def test_close_is_answered_once() -> None:
    websocket = WebSocketConnection()
    assert websocket.receive(frame(CLOSE, struct.pack(">H", 1001))) == [Closed(1001)]
    assert websocket.take_output() == b"\x88\x02" + struct.pack(">H", 1000)
    websocket.close()
    websocket.send(b"too late")
    assert websocket.take_output() == b""


def test_nothing_is_gathered() -> None:
    """A long message is handed on as it comes; memory does not follow its length."""
    websocket = WebSocketConnection()
    websocket.receive(frame(BINARY, b"x" * 1_000_000)[:14])
    for _ in range(100):
        websocket.receive(b"x" * 5000)
        assert not websocket._buffer


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_noise_never_surprises(noise: bytes) -> None:
    websocket = WebSocketConnection()
    with contextlib.suppress(WebSocketError):
        websocket.receive(noise)
    assert len(websocket._buffer) <= 200
