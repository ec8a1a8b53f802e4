"""The streaming client against a server made of pycri's sans-IO parts, over a socket pair."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.verify.check import Failed, NotApplicable
from installer.verify.client import CriError
from installer.verify.host import ByteStream
from installer.verify.streaming.sessions import channels, exit_code, forward, forwarding, url_of
from installer.verify.streaming.spdy import SpdyClient
from installer.verify.streaming.upgrade import upgrade
from pycri.streaming.spdy.connection import DataReceived, Event, SpdyConnection, StreamEnded, StreamOpened
from tests.unit.installer.verify.scripted_host import ScriptedHost

URL = "http://127.0.0.1:4000/exec/token"
ACCEPT = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {}\r\n\r\n"


class SocketHost(ScriptedHost):
    """Hands out one end of a socket pair."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__()
        self.end = end
        self.dialled: tuple[str, int] | None = None

    def dial(self, address: str, port: int, *, timeout: float = 10.0) -> ByteStream:
        self.dialled = (address, port)
        return self.end


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[SocketHost]:
    ours, theirs = socket.socketpair()

    def run() -> None:
        with theirs:
            serve(theirs)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with ours:
            yield SocketHost(ours)
    finally:
        thread.join(10)
        assert not thread.is_alive()


def read_head(end: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += end.recv(1)
    return head.decode()


def spdy_server(
    protocol: str, handle: Callable[[SpdyConnection, Event, dict[str, int]], None]
) -> Callable[[socket.socket], None]:
    def serve(end: socket.socket) -> None:
        assert f"X-Stream-Protocol-Version: {protocol}" in read_head(end)
        end.sendall(ACCEPT.format(protocol).encode())
        connection, names = SpdyConnection(), dict[str, int]()
        while data := end.recv(65536):
            for event in connection.receive(data):
                if isinstance(event, StreamOpened):
                    names[event.headers["streamtype"]] = event.stream_id
                    connection.reply(event.stream_id)
                handle(connection, event, names)
            end.sendall(connection.take_output())

    return serve


def echo_then_exit_3(connection: SpdyConnection, event: Event, names: dict[str, int]) -> None:
    if isinstance(event, DataReceived):
        connection.send(names["stdout"], event.data)
    elif isinstance(event, StreamEnded) and event.stream_id == names["stdin"]:
        causes = [{"reason": "ExitCode", "message": "3"}]
        said = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
        connection.send(names["error"], json.dumps(said).encode(), fin=True)
        connection.end(names["stdout"])


def test_an_exec_session() -> None:
    with (
        serving(spdy_server("v4.channel.k8s.io", echo_then_exit_3)) as host,
        channels(host, URL, ("stdin", "stdout")) as session,
    ):
        assert host.dialled == ("127.0.0.1", 4000)
        assert session.protocol == "v4.channel.k8s.io"
        session.write(b"one ")
        session.expect("stdout", b"one ")
        session.write(b"two", end=True)
        assert session.finish() == 3
        assert session.text("stdout") == b"one two"


def test_a_forwarded_connection() -> None:
    def answer(connection: SpdyConnection, event: Event, names: dict[str, int]) -> None:
        if isinstance(event, DataReceived):
            connection.send(names["data"], event.data.upper(), fin=True)
            connection.end(names["error"])

    with serving(spdy_server("portforward.k8s.io", answer)) as host, forwarding(host, URL) as spdy:
        data, error = forward(spdy, 80, 1)
        spdy.send(data, b"get")
        spdy.wait_end(data, error)
        assert (spdy.data[data], spdy.data[error]) == (b"GET", b"")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\nno token", "404 Not Found': b'no token'"),
        (b"HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\n\r\n", "upgraded to 'websocket'"),
        (ACCEPT.format("v9").encode(), "chose protocol 'v9'"),
        (b"HTTP/1.1 101", "ended its answer early"),
    ],
)
def test_anything_but_the_upgrade_fails(answer: bytes, why: str) -> None:
    def serve(end: socket.socket) -> None:
        read_head(end)
        end.sendall(answer)

    with serving(serve) as host, pytest.raises(Failed) as caught:
        upgrade(host, URL, ("v4.channel.k8s.io",))
    assert why in str(caught.value)


def test_addresses() -> None:
    with pytest.raises(Failed, match="not plain HTTP"):
        upgrade(ScriptedHost(), "https://127.0.0.1:1/x", ())
    with pytest.raises(Failed, match="nothing listens"):
        upgrade(ScriptedHost(), URL, ())


def test_a_connection_that_ends_is_said() -> None:
    with serving(lambda end: end.close()) as host:
        client = SpdyClient(host.end)
        stream = 1
        client.data[stream] = b""
        with pytest.raises(Failed, match=r"connection ended before replies|broke"):
            client.wait_reply(stream)


@given(st.binary(max_size=60))
def test_any_bytes_from_the_server_end_in_failed_or_wait(noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = SpdyClient(ours, noise)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(Failed):
            client.wait_reply(99)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (b"", 0),
        (b'{"status": "Success"}', 0),
        (b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}', 7),
    ],
)
def test_exit_codes(status: bytes, code: int) -> None:
    assert exit_code(status) == code


@pytest.mark.parametrize("status", [b"no json", b'{"status": "Failure", "message": "no such container"}'])
def test_other_ends_fail(status: bytes) -> None:
    with pytest.raises(Failed, match=r"no json|no such container"):
        exit_code(status)


def test_an_rpc_that_is_not_served_is_not_applicable() -> None:
    def refuse(code: str) -> Callable[[object], None]:
        def call(_request: object) -> None:
            raise CriError("Attach", code, "details")

        return call

    with pytest.raises(NotApplicable, match="does not serve Attach"):
        url_of(refuse("UNIMPLEMENTED"), None)
    with pytest.raises(CriError):
        url_of(refuse("INTERNAL"), None)
