"""What a client asks a streaming server, and what it makes of the answer."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri.streaming.status import Status
from pycri.streaming.upgrade import CHANNELS, UpgradeRefused, address, chosen_protocol, request

ANSWER = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io"
)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:10/exec/x", ("127.0.0.1", 10)),
        ("http://0.0.0.0:10/", ("127.0.0.1", 10)),
        ("https://[::]:10/", ("127.0.0.1", 10)),
        ("http://[::1]:10", ("::1", 10)),
    ],
)
def test_where_to_connect(url: str, place: tuple[str, int]) -> None:
    assert address(urlsplit(url)) == place


@pytest.mark.parametrize("url", ["/exec/x", "http://host/x", "ftp://host:1/", "http://host:port/"])
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(UpgradeRefused, match="streaming URL"):
        address(urlsplit(url))


def test_the_request() -> None:
    text = request(urlsplit("http://h:1/exec/t?a=b"), ["x", "y"]).decode()
    assert text.startswith("POST /exec/t?a=b HTTP/1.1\r\nHost: h:1\r\n")
    assert "\r\nX-Stream-Protocol-Version: x\r\nX-Stream-Protocol-Version: y\r\n" in text
    assert text.endswith("\r\n\r\n")


def test_the_answer() -> None:
    assert chosen_protocol(ANSWER, b"", CHANNELS) == "v4.channel.k8s.io"
    for wrong in (ANSWER.replace("101", "403"), ANSWER.replace("SPDY", "h2"), ANSWER.replace("v4", "v9")):
        with pytest.raises(UpgradeRefused):
            chosen_protocol(wrong, b"why", CHANNELS)


@pytest.mark.parametrize("status", [Status(), Status(3), Status(255)])
def test_a_status_survives_its_own_encoding(status: Status) -> None:
    assert Status.decode(status.encode(4)) == status


def test_an_error_keeps_its_text() -> None:
    assert "it broke" in Status.decode(Status(error="it broke").encode(4)).error
    assert Status.decode(b"exec failed").error == "exec failed"
    assert Status.decode(b"[1]").error == "[1]"
    assert Status.decode(b"") == Status()


@given(st.binary(max_size=100))
def test_any_text_is_a_status(text: bytes) -> None:
    Status.decode(text)
