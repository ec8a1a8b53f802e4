from __future__ import annotations

import ast
import contextlib
import gc
import struct
import weakref
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pycri.streaming.spdy
import pycri.streaming.websocket
from pycri.streaming.spdy import connection, frames, headers
from pycri.streaming.spdy.connection import (
    TRANSITIONS,
    DataReceived,
    Input,
    SpdyConnection,
    State,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from pycri.streaming.spdy.errors import ResetStatus, SpdyError
from pycri.streaming.spdy.frames import ControlFrame, DataFrame, FrameReader
from pycri.streaming.spdy.headers import DICTIONARY, HeaderDecoder, HeaderEncoder

PING_1 = b"\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01"


class Peer:
    """The client's side, for a connection under test."""

    def __init__(self) -> None:
        self.encoder = HeaderEncoder()
        self.reader = FrameReader()

    def syn(self, stream_id: int, *, fin: bool = False, **fields: str) -> bytes:
        body = struct.pack(">IIBB", stream_id, 0, 0, 0) + self.encoder.encode(fields)
        return frames.control_frame(frames.SYN_STREAM, body, frames.FLAG_FIN if fin else 0)

    def rst(self, stream_id: int, status: int = 5) -> bytes:
        return frames.control_frame(frames.RST_STREAM, struct.pack(">II", stream_id, status))

    def read(self, spdy: SpdyConnection) -> list[ControlFrame | DataFrame]:
        return list(self.reader.feed(spdy.take_output()))


def test_sans_io() -> None:
    """The protocols import neither asyncio nor sockets (architecture.md's rule, kept by this test)."""
    forbidden = {"asyncio", "socket", "selectors", "threading", "ssl", "os", "grpc"}
    for package in (pycri.streaming.spdy, pycri.streaming.websocket):
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                assert not forbidden & {name.split(".")[0] for name in names}, path


def test_dictionary_is_the_specifications() -> None:
    # every SPDY/3 header stream names it by this checksum, in its second to fifth byte
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2
    assert len(DICTIONARY) == 1423
    assert HeaderEncoder().encode({"a": "b"})[2:6] == bytes.fromhex("e3c6a7c2")


@given(
    st.lists(
        st.dictionaries(
            st.text("abcdefghij-", min_size=1, max_size=12),
            st.text(st.characters(max_codepoint=255), max_size=40),
            max_size=6,
        ),
        max_size=5,
    )
)
def test_headers_round_trip_in_order(blocks: list[dict[str, str]]) -> None:
    encoder, decoder = HeaderEncoder(), HeaderDecoder()
    for block in blocks:
        assert decoder.decode(encoder.encode(block)) == block


def raw_block(plain: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, 0, DICTIONARY)
    return packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\0\0",
        struct.pack(">I", 65),
        struct.pack(">I", 0xFFFFFFFF),
        struct.pack(">II", 1, 0xFFFFFFFF) + b"x",
        struct.pack(">II", 1, 1) + b"a",
        struct.pack(">III", 1, 0, 0),
        struct.pack(">I", 2) + struct.pack(">I1sI1s", 1, b"a", 1, b"b") * 2,
        struct.pack(">I", 2)
        + struct.pack(">I1sI1s", 1, b"a", 1, b"b")
        + struct.pack(">I1sI1s", 1, b"A", 1, b"b"),
        struct.pack(">I", 0) + b"more",
    ],
)
def test_bad_blocks_are_refused_and_bounded(plain: bytes) -> None:
    """Security row "SPDY parsing" (CVE-2026-35469)."""
    with pytest.raises(SpdyError):
        HeaderDecoder().decode(raw_block(plain))


@pytest.mark.parametrize("size", [headers.MAX_BLOCK_BYTES + 1, 50_000_000])
def test_a_block_that_inflates_without_end_is_refused(size: int) -> None:
    """Security row "SPDY parsing": 50 MB out of 50 kB."""
    with pytest.raises(SpdyError, match="inflates to more"):
        HeaderDecoder().decode(raw_block(b"\0" * size))


def test_block_of_the_largest_size_passes_and_the_stream_goes_on() -> None:
    encoder, decoder = HeaderEncoder(), HeaderDecoder()
    value = "v" * (headers.MAX_BLOCK_BYTES - 13)
    assert decoder.decode(encoder.encode({"a": value})) == {"a": value}
    assert decoder.decode(encoder.encode({"c": "d"})) == {"c": "d"}


def test_noise_instead_of_zlib() -> None:
    with pytest.raises(SpdyError, match="inflate"):
        HeaderDecoder().decode(b"not zlib at all")
    finished = zlib.compressobj(9, zlib.DEFLATED, 15, 9, 0, DICTIONARY)
    with pytest.raises(SpdyError, match="ended"):
        HeaderDecoder().decode(finished.compress(b"\0\0\0\0") + finished.flush())


def test_life_of_a_stream() -> None:
    spdy, peer = SpdyConnection(), Peer()
    assert spdy.receive(peer.syn(1, streamType="stdin")) == [StreamOpened(1, {"streamtype": "stdin"})]
    spdy.reply(1)
    spdy.send(1, b"hello")
    assert [type(frame) for frame in peer.read(spdy)] == [ControlFrame, DataFrame]
    assert spdy.receive(frames.data_frame(1, b"abc")) == [DataReceived(1, b"abc")]
    assert spdy.receive(frames.data_frame(1, b"", True)) == [StreamEnded(1)]
    assert spdy.is_writable(1)
    spdy.end(1)
    spdy.end(1)
    assert peer.read(spdy) == [DataFrame(1, b"", True)]
    assert not spdy.is_known(1)
    with pytest.raises(LookupError):
        spdy.send(1, b"too late")


def test_data_after_end_and_on_unknown_streams() -> None:
    spdy, peer = SpdyConnection(), Peer()
    spdy.receive(peer.syn(1, fin=True, a="b"))
    assert spdy.receive(frames.data_frame(1, b"more")) == []
    assert peer.read(spdy)[0] == ControlFrame(
        frames.RST_STREAM, 0, struct.pack(">II", 1, ResetStatus.INVALID_STREAM)
    )
    assert spdy.receive(frames.data_frame(1, b"still under way")) == []
    assert peer.read(spdy) == []
    assert spdy.receive(frames.data_frame(99, b"never opened")) == []
    assert peer.read(spdy)[0].body == struct.pack(">II", 99, ResetStatus.INVALID_STREAM)  # type: ignore[union-attr]


def test_ping_reset_and_what_is_ignored() -> None:
    spdy, peer = SpdyConnection(), Peer()
    spdy.receive(PING_1)
    assert spdy.take_output() == PING_1
    spdy.receive(PING_1[:-1] + b"\x02")  # an answer, to nothing
    window = frames.control_frame(frames.WINDOW_UPDATE, struct.pack(">II", 1, 65536))
    noop = frames.control_frame(frames.SETTINGS, b"\0\0\0\0") + window + frames.control_frame(77, b"")
    assert spdy.receive(noop) == []
    assert spdy.take_output() == b""
    spdy.receive(peer.syn(1, a="b"))
    assert spdy.receive(peer.rst(1, 5)) == [StreamReset(1, 5)]
    assert spdy.receive(peer.rst(1, 5)) == []


@pytest.mark.parametrize(
    "bad",
    [
        b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01",  # version 2
        b"\x80\x03\x00\x01\x00\xff\xff\xff",  # a SYN_STREAM of 16 MiB
        b"\x80\x03\x00\x01\x00\x00\x00\x04\0\0\0\1",  # too short
        frames.control_frame(frames.SYN_REPLY, b"\0\0\0\1"),
        b"\xff" * 64,
    ],
)
def test_protocol_errors_end_the_connection(bad: bytes) -> None:
    """Security row "SPDY parsing"."""
    spdy, peer = SpdyConnection(), Peer()
    with pytest.raises(SpdyError):
        spdy.receive(bad)
    goaway = peer.read(spdy)[-1]
    assert isinstance(goaway, ControlFrame)
    assert (goaway.type, goaway.body) == (frames.GOAWAY, struct.pack(">II", 0, 1))
    assert spdy.receive(PING_1) == []


@pytest.mark.parametrize("stream_id", [2, 1])
def test_stream_ids_must_be_odd_and_increase(stream_id: int) -> None:
    spdy, peer = SpdyConnection(), Peer()
    spdy.receive(peer.syn(1, a="b"))
    with pytest.raises(SpdyError, match="stream id"):
        spdy.receive(peer.syn(stream_id, a="b"))


def test_streams_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Security row "exec/attach exhaustion"."""
    monkeypatch.setattr(connection, "MAX_STREAMS", 3)
    spdy, peer = SpdyConnection(), Peer()
    events = spdy.receive(b"".join(peer.syn(number, a="b") for number in (1, 3, 5, 7, 9)))
    assert len(events) == 3
    resets = [frame.body for frame in peer.read(spdy) if isinstance(frame, ControlFrame)]
    assert resets == [struct.pack(">II", number, ResetStatus.REFUSED_STREAM) for number in (7, 9)]


def test_transitions_never_leave_closed() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.CLOSED}
    for state in (State.OPEN, State.HALF_CLOSED_LOCAL, State.HALF_CLOSED_REMOTE):
        assert TRANSITIONS[state, Input.RESET] is State.CLOSED


def test_long_data_is_handed_on_in_pieces() -> None:
    reader = FrameReader()
    frame = frames.data_frame(1, b"x" * 100_000, True)
    out = [piece for start in range(0, len(frame), 999) for piece in reader.feed(frame[start : start + 999])]
    assert b"".join(piece.data for piece in out if isinstance(piece, DataFrame)) == b"x" * 100_000
    assert [piece.fin for piece in out if isinstance(piece, DataFrame)].count(True) == 1
    assert len(reader._buffer) <= 8


@settings(max_examples=200)
@given(st.data())
def test_any_conversation_any_chunking(data: st.DataObject) -> None:
    """States × inputs: the same events however the bytes are cut, and no unexpected exception."""
    peer, stream, expected_ids = Peer(), b"", []
    for _ in range(data.draw(st.integers(0, 12))):
        kind = data.draw(
            st.sampled_from(["syn", "data", "fin", "rst", "ping", "window", "headers", "goaway"])
        )
        stream_id = data.draw(st.sampled_from([1, 3, 5, 7]))
        if kind == "syn":
            stream_id = (expected_ids[-1] if expected_ids else -1) + 2
            expected_ids.append(stream_id)
            stream += peer.syn(stream_id, fin=data.draw(st.booleans()), streamType="data")
        elif kind in ("data", "fin"):
            stream += frames.data_frame(stream_id, data.draw(st.binary(max_size=30)), kind == "fin")
        elif kind == "rst":
            stream += peer.rst(stream_id)
        elif kind == "ping":
            stream += PING_1
        elif kind == "window":
            stream += frames.control_frame(frames.WINDOW_UPDATE, struct.pack(">II", stream_id, 5))
        elif kind == "headers":
            body = struct.pack(">I", stream_id) + peer.encoder.encode({"x": "y"})
            stream += frames.control_frame(frames.HEADERS, body, data.draw(st.sampled_from([0, 1])))
        else:
            stream += frames.control_frame(frames.GOAWAY, struct.pack(">II", 0, 0))

    def run(cuts: list[int]) -> tuple[list[object], bytes]:
        spdy, events, start = SpdyConnection(), [], 0
        for cut in [*sorted(cuts), len(stream)]:
            events += spdy.receive(stream[start:cut])
            start = max(start, cut)
        merged: list[object] = []
        for event in events:  # data may come in pieces
            last = merged[-1] if merged else None
            both = isinstance(event, DataReceived) and isinstance(last, DataReceived)
            if both and last.stream_id == event.stream_id:
                merged[-1] = DataReceived(event.stream_id, last.data + event.data)
            else:
                merged.append(event)
        return merged, spdy.take_output()

    assert run([]) == run(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))


@settings(max_examples=500)
@given(st.binary(max_size=300), st.booleans())
def test_noise_never_surprises(noise: bytes, as_control: bool) -> None:
    spdy = SpdyConnection()
    with contextlib.suppress(SpdyError):
        spdy.receive(b"\x80\x03\x00" + noise if as_control else noise)
        spdy.receive(noise)
    assert len(spdy._reader._buffer) <= frames.MAX_CONTROL_BYTES + 8


def test_a_connection_goes_without_a_garbage_collection() -> None:
    """Each holds 300 KB of zlib state."""
    spdy, peer = SpdyConnection(), Peer()
    spdy.receive(peer.syn(1, a="b") + PING_1)
    gone = weakref.ref(spdy)
    gc.disable()
    try:
        del spdy
        assert gone() is None
    finally:
        gc.enable()
