from __future__ import annotations

import base64
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri.streaming.channels import (
    ClientGone,
    ProtocolError,
    Ready,
    Resize,
    ResizeParser,
    StdinData,
    StdinEnd,
)
from pycri.streaming.forwards import (
    ClientLeft,
    ForwardData,
    ForwardEnd,
    ForwardGone,
    ForwardOpened,
)
from pycri.streaming.spdy import frames
from pycri.streaming.spdy.frames import ControlFrame, DataFrame
from pycri.streaming.spdy_channels import SpdyChannels
from pycri.streaming.spdy_forwards import PAIR_SECONDS, SpdyForwards
from pycri.streaming.status import Status
from pycri.streaming.websocket_channels import ChannelMessages, WebSocketChannels
from pycri.streaming.websocket_forwards import ChannelForwards, TunnelledForwards
from tests.unit.pycri.streaming.test_spdy import Peer
from tests.unit.pycri.streaming.test_websocket import frame

ALL = ("stdin", "stdout", "stderr")


@given(st.lists(st.integers(1, 60), max_size=10))
def test_resize_in_any_pieces(cuts: list[int]) -> None:
    text = b' {"Width":80,"Height":24}\n{"Width":0,"Height":1} [] {"Width":100,"Height":30,"Extra":1}'
    parser, found, start = ResizeParser(), [], 0
    for cut in [*sorted(cuts), len(text)]:
        found += list(parser.feed(text[start:cut]))
        start = max(start, cut)
    assert found == [Resize(80, 24), Resize(100, 30)]


@given(st.lists(st.binary(max_size=400), max_size=8))
def test_resize_noise_is_bounded(pieces: list[bytes]) -> None:
    parser = ResizeParser()
    for piece in pieces:
        list(parser.feed(piece))
        list(parser.feed(b"[" * 1000))
        assert len(parser._text) < 4096


def test_status_by_version() -> None:
    assert Status().encode(3) == b""
    assert json.loads(Status().encode(4)) == {"metadata": {}, "status": "Success"}
    failure = json.loads(Status(exit_code=3).encode(5))
    assert failure["reason"] == "NonZeroExitCode"
    assert failure["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    internal = json.loads(Status(error="no such file").encode(4))
    assert (internal["reason"], internal["code"]) == ("InternalError", 500)
    assert b"no such file" in Status(error="no such file").encode(1)


def test_spdy_session_with_a_terminal() -> None:
    channels, peer = SpdyChannels(4, ("stdin", "stdout"), tty=True), Peer()
    stream = b"".join(
        peer.syn(number, streamType=kind)
        for number, kind in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "resize"))
    )
    assert channels.receive(stream) == [Ready()]
    assert channels.receive(frames.data_frame(7, b'{"Width":80,"Height":24}')) == [Resize(80, 24)]
    assert channels.receive(frames.data_frame(3, b"ls\n", True)) == [StdinData(b"ls\n"), StdinEnd()]
    channels.send("stdout", b"files")
    channels.send("stderr", b"not asked for")
    channels.finish(Status(exit_code=2))
    channels.send("stdout", b"too late")
    data = [f for f in peer.reader.feed(channels.take_output()) if isinstance(f, DataFrame)]
    assert data[0] == DataFrame(5, b"files", False)
    assert data[-1].stream_id == 1
    assert data[-1].fin
    assert json.loads(data[-1].data)["details"]["causes"][0]["message"] == "2"


def test_spdy_session_refuses_what_it_does_not_need() -> None:
    """Security row "exec/attach exhaustion"."""
    channels, peer = SpdyChannels(4, ("stdout",), tty=False), Peer()
    channels.receive(peer.syn(1, streamType="error") + peer.syn(3, streamType="stdin"))
    channels.receive(peer.syn(5, streamType="error") + peer.syn(7))
    resets = [
        f.uint31()
        for f in peer.reader.feed(channels.take_output())
        if isinstance(f, ControlFrame) and f.type == frames.RST_STREAM
    ]
    assert resets == [3, 5, 7]
    with pytest.raises(ProtocolError):
        channels.receive(b"\xff" * 20)


def test_reset_of_stdin_is_its_end() -> None:
    channels, peer = SpdyChannels(1, ("stdin",), tty=False), Peer()
    channels.receive(peer.syn(1, streamType="error") + peer.syn(3, streamType="stdin"))
    assert channels.receive(peer.rst(3)) == [StdinEnd()]


def test_websocket_session() -> None:
    channels = WebSocketChannels(5, ALL, tty=True)
    assert channels.start() == [Ready()]
    assert channels.take_output() == b"\x82\x01\x01"
    assert channels.receive(frame(2, b"\x00typed")) == [StdinData(b"typed")]
    assert channels.receive(frame(2, b'\x04{"Width":1,"Height":2}')) == [Resize(1, 2)]
    assert channels.receive(frame(2, b"\x01\x02nonsense") + frame(2, b"")) == []
    assert channels.receive(frame(2, b"\xff\x00")) == [StdinEnd()]
    channels.send("stdout", b"out")
    assert channels.take_output() == b"\x82\x04\x01out"
    channels.finish(Status())
    output = channels.take_output()
    assert b'"Success"' in output
    assert output[-4:] == b"\x88\x02\x03\xe8"
    assert channels.receive(frame(8, b"")) == [ClientGone()]


def test_close_signal_needs_version_5() -> None:
    channels = WebSocketChannels(4, ALL, tty=False)
    assert channels.receive(frame(2, b"\xff\x00")) == []


@given(st.binary(max_size=100), st.lists(st.integers(0, 150), max_size=6))
def test_base64_in_any_fragments(payload: bytes, cuts: list[int]) -> None:
    messages = ChannelMessages(base64_text=True)
    text = b"0" + base64.b64encode(payload)
    stream = frame(1, text)
    found, start = b"", 0
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        for channel, chunk in messages.receive(stream[start:cut]):
            assert channel == 0
            found += chunk
        start = max(start, cut)
    assert found == payload
    messages.send(1, payload)
    assert messages.take_output()[2:] == b"1" + base64.b64encode(payload)


@pytest.mark.parametrize("bad", [b"x", b"0QQ", b"0Q=Q=", b"0!!!!"])
def test_bad_base64(bad: bytes) -> None:
    with pytest.raises(ProtocolError, match="base64"):
        ChannelMessages(base64_text=True).receive(frame(1, bad))


def pair(peer: Peer, error: int, data: int, port: str = "80", request: str = "0") -> bytes:
    return peer.syn(error, streamType="error", port=port, requestID=request) + peer.syn(
        data, streamType="data", port=port, requestID=request
    )


def test_forwarded_connections() -> None:
    forwards, peer = SpdyForwards(), Peer()
    assert forwards.receive(pair(peer, 1, 3)) == [ForwardOpened(3, 80)]
    assert forwards.receive(frames.data_frame(1, b"", True)) == []  # the error stream's other half
    assert forwards.receive(frames.data_frame(3, b"GET", False)) == [ForwardData(3, b"GET")]
    assert forwards.receive(frames.data_frame(3, b"", True)) == [ForwardEnd(3)]
    forwards.send(3, b"200")
    forwards.fail(3, "")
    assert not forwards._spdy._streams
    assert forwards.receive(pair(peer, 9, 11, "81", "2")) == [ForwardOpened(11, 81)]
    assert forwards.receive(peer.rst(11)) == [ForwardGone(11)]
    forwards.fail(11, "connection refused")
    out = [f for f in peer.reader.feed(forwards.take_output()) if isinstance(f, DataFrame)]
    assert DataFrame(9, b"connection refused", False) in out


def test_pairs_without_request_ids_are_matched_by_order() -> None:
    forwards, peer = SpdyForwards(), Peer()
    stream = peer.syn(1, streamType="error", port="80") + peer.syn(3, streamType="data", port="80")
    assert forwards.receive(stream) == [ForwardOpened(3, 80)]


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "8o", "999999999", "1 "])
def test_bad_ports_are_refused(port: str) -> None:
    forwards, peer = SpdyForwards(), Peer()
    assert forwards.receive(peer.syn(1, streamType="data", port=port, requestID="0")) == []
    assert not forwards._waiting
    assert not forwards._spdy._streams


def test_half_a_pair_expires() -> None:
    forwards, peer = SpdyForwards(), Peer()
    forwards.receive(peer.syn(1, streamType="error", port="80", requestID="0"))
    forwards.expire(100.0)
    forwards.expire(100.0 + PAIR_SECONDS)
    assert forwards._waiting
    forwards.expire(101.0 + PAIR_SECONDS)
    assert not forwards._waiting
    assert not forwards._spdy._streams


def test_tunnel_carries_spdy_in_any_messages() -> None:
    forwards, peer = TunnelledForwards(), Peer()
    stream = pair(peer, 1, 3)
    events = []
    for start in range(0, len(stream), 5):
        events += forwards.receive(frame(2, stream[start : start + 5]))
    assert events == [ForwardOpened(3, 80)]
    assert forwards.take_output()[0] == 0x82
    assert forwards.receive(frame(8, b"")) == [ClientLeft()]
    with pytest.raises(ProtocolError):
        TunnelledForwards().receive(b"\x82\x00\x00\x00\x00\x00")


def test_port_channels() -> None:
    forwards = ChannelForwards([80, 8080])
    assert forwards.start() == [ForwardOpened(0, 80), ForwardOpened(1, 8080)]
    head = b"".join(
        b"\x82\x03" + bytes([c]) + struct.pack("<H", p) for c, p in enumerate((80, 80, 8080, 8080))
    )
    assert forwards.take_output() == head
    assert forwards.receive(frame(2, b"\x02GET") + frame(2, b"\x63x")) == [ForwardData(1, b"GET")]
    forwards.fail(1, "refused")
    assert forwards.take_output() == b"\x82\x08\x03refused"
