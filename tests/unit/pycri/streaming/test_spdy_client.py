"""The SPDY client, against the server's side of the same connection."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri.streaming.spdy import frames
from pycri.streaming.spdy.client import SpdyClientConnection, StreamAccepted
from pycri.streaming.spdy.connection import (
    ConnectionEnding,
    DataReceived,
    SpdyConnection,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from pycri.streaming.spdy.errors import ResetStatus, SpdyError


@pytest.fixture
def pair() -> tuple[SpdyClientConnection, SpdyConnection]:
    return SpdyClientConnection(), SpdyConnection()


Pair = tuple[SpdyClientConnection, SpdyConnection]


def test_a_stream_both_ways(pair: Pair) -> None:
    client, server = pair
    stream = client.open({"streamType": "stdin"})
    client.send(stream, b"to you")
    client.send(stream, b"", fin=True)
    events = server.receive(client.take_output())
    assert events == [
        StreamOpened(stream, {"streamtype": "stdin"}),
        DataReceived(stream, b"to you"),
        StreamEnded(stream),
    ]
    server.reply(stream)
    server.send(stream, b"to you too", fin=True)
    server.goaway()
    assert client.receive(server.take_output()) == [
        StreamAccepted(stream),
        DataReceived(stream, b"to you too"),
        StreamEnded(stream),
        ConnectionEnding(),
    ]


def test_ids_are_odd_and_a_stream_may_be_opened_closed(pair: Pair) -> None:
    client, server = pair
    assert [client.open({"a": "b"}), client.open({"a": "c"}, fin=True)] == [1, 3]
    opened = [event for event in server.receive(client.take_output()) if not isinstance(event, StreamOpened)]
    assert opened == [StreamEnded(3)]


def test_a_reset(pair: Pair) -> None:
    client, server = pair
    stream = client.open({"a": "b"})
    server.receive(client.take_output())
    server.reset(stream, ResetStatus.CANCEL)
    assert client.receive(server.take_output()) == [StreamReset(stream, ResetStatus.CANCEL)]


def test_the_servers_ping_is_answered_and_our_own_answer_is_not() -> None:
    client = SpdyClientConnection()
    ping = frames.control_frame(frames.PING, b"\0\0\0\2")
    assert client.receive(ping) == []
    assert client.take_output() == ping
    assert client.receive(frames.control_frame(frames.PING, b"\0\0\0\1")) == []
    assert client.take_output() == b""


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_an_error(data: bytes) -> None:
    with contextlib.suppress(SpdyError):
        SpdyClientConnection().receive(data)
