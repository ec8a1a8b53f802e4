"""The small parts that tier 2 stands on: what a skip needs, /proc/PID/status, WebSocket frames."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from typing import Any

import pytest

from installer.verify import process_status
from installer.verify.check import Failed, NotApplicable
from installer.verify.client import CriError
from installer.verify.gaps import EVERY, all_answers, answered, containerd_gap, version_of
from installer.verify.host import LocalHost
from installer.verify.streaming.websocket import ERROR, STDOUT, WebSocketClient

_STATUS = """Name:\tsh
Uid:\t1234\t1234\t1234\t1234
Gid:\t5\t5\t5\t5
Groups:\t5 77
CapEff:\t0000000000000401
NoNewPrivs:\t1
Seccomp:\t2
"""


def test_process_status() -> None:
    status = process_status.parse(_STATUS)
    assert (status.uid, status.gid, status.groups) == (1234, 5, {77})
    assert status.capabilities("CapEff") == {"CAP_CHOWN", "CAP_NET_BIND_SERVICE"}
    assert status.no_new_privs
    assert status.seccomp_filters == 1
    assert process_status.parse("Seccomp:\t2\nSeccomp_filters:\t3\n").seccomp_filters == 3
    assert process_status.parse("Seccomp:\t0\nSeccomp_filters:\t0\n").seccomp_filters == 0


@pytest.mark.parametrize(
    ("text", "version"),
    [("v2.1.9", (2, 1)), ("1.6.20~ds1", (1, 6)), ("2.1.9+unknown", (2, 1)), ("?", (0, 0))],
)
def test_version_of(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version


def refuse(code: str) -> Any:
    def call(_request: object) -> Any:
        raise CriError("Method", code, "no")

    return call


@pytest.mark.parametrize("ask", [answered, all_answers])
def test_only_what_is_unknown_is_skipped(ask: Any) -> None:
    with pytest.raises(NotApplicable, match=r"came with CRI 1\.36"):
        ask(refuse("UNIMPLEMENTED"), None, since="1.36")
    with pytest.raises(CriError):
        ask(refuse("INTERNAL"), None, since="1.36")


class Endpoint:
    """As much of a Context as ``containerd_gap`` looks at."""

    def __init__(self, name: str, version: tuple[int, int]) -> None:
        self.session = self
        self.runtime = self
        self._told = name, version

    def get(self) -> tuple[str, tuple[int, int]]:
        return self._told


def test_a_gap_is_containerds_alone() -> None:
    for name, version, before, gap in (
        ("containerd", (1, 7), (2, 0), True),
        ("containerd", (2, 0), (2, 0), False),
        ("containerd", (9, 9), EVERY, True),
        ("pycri", (0, 1), EVERY, False),
    ):
        endpoint: Any = Endpoint(name, version)
        if gap:
            with pytest.raises(NotApplicable, match=r"containerd \d\.\d lacks it"):
                containerd_gap(endpoint, "lacks it", before=before)
        else:
            containerd_gap(endpoint, "lacks it", before=before)


def serve_websocket(protocol: str, frames: bytes) -> str:
    """A server for one connection, that answers the upgrade with `protocol`, then sends `frames`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener, listener.accept()[0] as peer:
            head = b""
            while b"\r\n\r\n" not in head:
                head += peer.recv(4096)
            key = next(line for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
            digest = hashlib.sha1(key.split(b": ")[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            peer.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: "
                + base64.b64encode(digest)
                + f"\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
                + frames
            )
            while peer.recv(4096):
                pass

    threading.Thread(target=run, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/exec/token"


def test_websocket_frames_of_every_length() -> None:
    long = bytes([STDOUT]) + b"x" * 70_000
    middle = bytes([STDOUT]) + b"y" * 300
    frames = (
        bytes([0x82, 127])
        + struct.pack(">Q", len(long))
        + long
        + bytes([0x82, 126])
        + struct.pack(">H", len(middle))
        + middle
        + bytes([0x89, 0])  # a ping
        + bytes([0x82, 3, ERROR])
        + b"{}"
        + bytes([0x88, 2, 3, 232])
    )
    url = serve_websocket("v5.channel.k8s.io", frames)
    with WebSocketClient.connect(LocalHost(), url, "v5.channel.k8s.io") as client:
        client.write(b"hello")
        client.wait_end(timeout=10)
        assert client.data[STDOUT] == b"x" * 70_000 + b"y" * 300
        assert client.data[ERROR] == b"{}"


def test_another_protocol_than_asked_for_is_a_failure() -> None:
    url = serve_websocket("v4.channel.k8s.io", b"")
    with pytest.raises(Failed, match="not v5"):
        WebSocketClient.connect(LocalHost(), url, "v5.channel.k8s.io")


def test_an_end_before_the_data_is_a_failure() -> None:
    url = serve_websocket("v5.channel.k8s.io", bytes([0x88, 0]))
    with (
        WebSocketClient.connect(LocalHost(), url, "v5.channel.k8s.io") as client,
        pytest.raises(Failed, match="ended before"),
    ):
        client.wait(STDOUT, b"never", timeout=10)
