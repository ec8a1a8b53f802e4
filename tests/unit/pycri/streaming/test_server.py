from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycri.errors import ResourceExhausted
from pycri.streaming import negotiate, server, tokens
from pycri.streaming.http import MAX_HEAD_BYTES, BadRequest, HeadReader, Request, response
from pycri.streaming.link import Link
from pycri.streaming.netns_connect import connect_in_netns
from pycri.streaming.server import StreamingServer
from pycri.streaming.sessions import AttachRequest, ExecRequest, PortForwardRequest, SessionRequest
from pycri.streaming.spdy_channels import SpdyChannels
from pycri.streaming.spdy_forwards import SpdyForwards
from pycri.streaming.tokens import LIFETIME_SECONDS, MAX_WAITING, Tokens
from pycri.streaming.websocket_channels import WebSocketChannels
from pycri.streaming.websocket_forwards import ChannelForwards, TunnelledForwards
from tests.support.streaming_client import upgrade

EXEC = ExecRequest("c1", b"{}", tty=False, stdin=True, stdout=True, stderr=True)
FORWARD = PortForwardRequest("p1", "", (80,))
WEBSOCKET = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
SPDY = {"Connection": "upgrade", "Upgrade": "spdy/3.1"}


# The head of a request -------------------------------------------------------------------------------------


def head(text: bytes) -> tuple[Request, bytes] | None:
    return HeadReader().feed(text)


def test_request_head() -> None:
    found = head(b"POST /exec/abc?x=1 HTTP/1.1\r\nHost: a\r\nX-Y: one, two\r\nx-y: three\r\n\r\nrest")
    assert found is not None
    request, rest = found
    assert (request.method, request.path, request.query, rest) == ("POST", "/exec/abc", "x=1", b"rest")
    assert request.words("x-y") == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"G\0T / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nspace : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
def test_bad_heads(text: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        head(text)
    assert caught.value.status == status


@pytest.mark.parametrize("size", [0, 1], ids=["count", "bytes"])
def test_heads_are_bounded(size: int) -> None:
    """Security row "exec/attach exhaustion"."""
    text = b"x" * (MAX_HEAD_BYTES + 1) if size else b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n"
    with pytest.raises(BadRequest) as caught:
        head(text)
    assert caught.value.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@settings(max_examples=300)
@given(st.binary(max_size=200), st.lists(st.integers(0, 260), max_size=5))
def test_heads_in_any_pieces(noise: bytes, cuts: list[int]) -> None:
    text = b"GET /" + noise.replace(b"\r\n\r\n", b"") + b" HTTP/1.1\r\nA: b\r\n\r\nrest"
    outcomes = []
    for pieces in ([], cuts):
        reader, start = HeadReader(), 0
        outcome: object = None
        try:
            for cut in [*sorted(min(cut, len(text)) for cut in pieces), len(text)]:
                found = reader.feed(text[start:cut])
                start = max(start, cut)
                if found is not None:
                    outcome = (found[0], found[1] + text[start:])
                    break
        except BadRequest as error:
            outcome = error.status
        outcomes.append(outcome)
    assert outcomes[0] == outcomes[1]


def test_response_ends_the_connection() -> None:
    answer = response(HTTPStatus.NOT_FOUND, body="no\n")
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"Connection: close" in answer


# Tokens ----------------------------------------------------------------------------------------------------


def test_tokens_are_good_once_and_for_a_minute() -> None:
    now = [0.0]
    store: Tokens[str] = Tokens(clock=lambda: now[0])
    first, second = store.add("a"), store.add("b")
    assert first != second
    assert store.redeem(first) == "a"
    assert store.redeem(first) is None
    now[0] = LIFETIME_SECONDS + 1
    assert store.redeem(second) is None


def test_tokens_are_counted() -> None:
    """Security row "exec/attach exhaustion"."""
    now = [0.0]
    store: Tokens[str] = Tokens(clock=lambda: now[0])
    for _ in range(MAX_WAITING):
        store.add("x")
    with pytest.raises(ResourceExhausted):
        store.add("one more")
    now[0] = LIFETIME_SECONDS + 1
    store.add("again")
    assert len(store._waiting) == 1


# Negotiation -----------------------------------------------------------------------------------------------


def request(headers: dict[str, str], method: str = "GET") -> Request:
    return Request(method, "/exec/x", "", {name.lower(): (value,) for name, value in headers.items()})


def test_protocols_of_exec() -> None:
    spdy = request(
        {**SPDY, "X-Stream-Protocol-Version": "v9.channel.k8s.io,v3.channel.k8s.io, v4.channel.k8s.io"}
    )
    chosen, answer = negotiate.channels(spdy, EXEC)
    assert isinstance(chosen, SpdyChannels)
    assert b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n" in answer
    websocket = request({**WEBSOCKET, "Sec-WebSocket-Protocol": "v4.channel.k8s.io, v5.channel.k8s.io"})
    chosen, answer = negotiate.channels(websocket, EXEC)
    assert isinstance(chosen, WebSocketChannels)
    assert b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n" in answer
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer


def test_protocols_of_port_forward() -> None:
    assert isinstance(negotiate.forwards(request(SPDY, "POST"), FORWARD)[0], SpdyForwards)
    for offered, kind in (
        ("SPDY/3.1+portforward.k8s.io", TunnelledForwards),
        ("v4.channel.k8s.io", ChannelForwards),
        ("v4.base64.channel.k8s.io", ChannelForwards),
    ):
        chosen, _ = negotiate.forwards(request({**WEBSOCKET, "Sec-WebSocket-Protocol": offered}), FORWARD)
        assert type(chosen) is kind


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({}, "GET", 400),
        ({"Upgrade": "websocket"}, "GET", 400),
        ({**SPDY}, "DELETE", 405),
        ({**SPDY, "X-Stream-Protocol-Version": "v9.channel.k8s.io"}, "POST", 403),
        ({**WEBSOCKET, "Sec-WebSocket-Protocol": "chat"}, "GET", 403),
        ({**WEBSOCKET, "Sec-WebSocket-Version": "8"}, "GET", 426),
        ({**WEBSOCKET, "Sec-WebSocket-Key": "x"}, "GET", 400),
        ({**WEBSOCKET}, "POST", 426),
    ],
)
def test_refusals(headers: dict[str, str], method: str, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        negotiate.channels(request(headers, method), EXEC)
    assert caught.value.status == status


def test_a_terminal_has_no_stderr() -> None:
    assert AttachRequest("c1", tty=True, stdin=False, stdout=True, stderr=True).names == ("stdout",)


# The server ------------------------------------------------------------------------------------------------


class Echo:
    """A session that sends back what it gets, until its client leaves."""

    answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"

    def begin(self, link: Link) -> None:
        self.link = link

    def receive(self, data: bytes) -> None:
        self.link.write(data)

    async def run(self) -> None:
        await self.link.lost.wait()


@pytest.fixture
async def echo() -> AsyncIterator[StreamingServer]:
    def handle(_: Request, session: SessionRequest) -> Echo:
        if session is FORWARD:
            raise BadRequest(HTTPStatus.FORBIDDEN, "not this")
        return Echo()

    streaming = StreamingServer(handle)
    await streaming.start("127.0.0.1", 0)
    yield streaming
    await streaming.stop()
    assert streaming.connections == set()


async def test_url_is_good_once(echo: StreamingServer) -> None:
    url = echo.prepare(EXEC)
    assert url.startswith("http://127.0.0.1:")
    assert "/exec/" in url
    status, _, reader, writer = await upgrade(url, SPDY)
    assert status == 101
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    again, _, _, second = await upgrade(url, SPDY)
    assert again == 404
    for connection in (writer, second):
        connection.close()
        await connection.wait_closed()


@pytest.mark.parametrize("path", ["/exec/wrong", "/", "/exec", "/exec/a/b", "/metrics", "//x"])
async def test_unknown_paths(echo: StreamingServer, path: str) -> None:
    base = echo.prepare(EXEC).rsplit("/exec/", 1)[0]
    status, _, _, writer = await upgrade(base + path, SPDY)
    assert status == 404
    writer.close()
    await writer.wait_closed()


async def test_a_token_is_for_its_own_path(echo: StreamingServer) -> None:
    status, _, _, writer = await upgrade(echo.prepare(EXEC).replace("/exec/", "/attach/"), SPDY)
    assert status == 404
    writer.close()
    await writer.wait_closed()
    status, _, _, writer = await upgrade(echo.prepare(FORWARD), SPDY)
    assert status == 403
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Security row "exec/attach exhaustion"."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 1)
    streaming = StreamingServer(lambda *_: Echo())
    await streaming.start("127.0.0.1", 0)
    host, port = streaming.prepare(EXEC).split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    second_reader, second = await asyncio.open_connection(host, int(port))
    assert (await second_reader.readline()).startswith(b"HTTP/1.1 503")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    for connection in (writer, second):
        connection.close()
        await asyncio.gather(connection.wait_closed(), return_exceptions=True)
    await streaming.stop()


async def test_idle_sessions_end(monkeypatch: pytest.MonkeyPatch, echo: StreamingServer) -> None:
    monkeypatch.setattr(server, "IDLE_SECONDS", -1.0)
    status, _, reader, writer = await upgrade(echo.prepare(EXEC), SPDY)
    assert status == 101
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_stop_ends_sessions(echo: StreamingServer) -> None:
    _, _, reader, writer = await upgrade(echo.prepare(EXEC), SPDY)
    await echo.stop()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await writer.wait_closed()


# Connections into a namespace ------------------------------------------------------------------------------


async def test_connect_leaves_no_thread_and_names_both_failures(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"localhost:1: 127\.0\.0\.1: .*::1: "):
        await connect_in_netns("", 1)
    with pytest.raises(FileNotFoundError):
        await connect_in_netns(str(tmp_path / "missing"), 80)
    with pytest.raises(OSError, match="Invalid argument"):
        await connect_in_netns("/proc/self/ns/uts", 80)
    for thread in threading.enumerate():
        if thread.name == "netns":
            thread.join(5)
    assert "netns" not in [thread.name for thread in threading.enumerate()]


def test_tokens_are_long_enough() -> None:
    assert len(Tokens[str]().add("x")) >= 32
    assert tokens.MAX_WAITING == 1000
