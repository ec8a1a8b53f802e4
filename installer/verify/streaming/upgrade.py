"""Follow a streaming URL: connect as the node would, and upgrade the connection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from installer.verify.check import Failed
from installer.verify.host import ByteStream, Host

PROTOCOL_HEADER = "X-Stream-Protocol-Version"
_MAX_HEAD = 32 * 1024
_UNSPECIFIED = {"", "0.0.0.0", "::"}


def upgrade(host: Host, url: str, protocols: Sequence[str]) -> tuple[ByteStream, bytes, str]:
    """POST to `url` asking for SPDY/3.1; returns (connection, bytes after the answer, protocol chosen).

    Raises Failed when there is no connection or no 101.
    """
    stream, netloc, path = open_connection(host, url)
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {netloc}",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        *(f"{PROTOCOL_HEADER}: {protocol}" for protocol in protocols),
        "Content-Length: 0",
    ]
    try:
        stream.settimeout(30.0)
        stream.sendall("\r\n".join([*lines, "", ""]).encode())
        head, rest = read_head(stream)
        return stream, rest, _check_answer(head, rest, protocols)
    except (OSError, Failed) as error:
        with suppress(OSError):
            stream.close()
        if isinstance(error, Failed):
            raise
        raise Failed(f"the upgrade to SPDY broke off: {error}") from None


def open_connection(host: Host, url: str) -> tuple[ByteStream, str, str]:
    """Connect to where `url` leads; returns (connection, netloc, path with query). Raises Failed."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.port is None:
        raise Failed(f"the streaming URL is {url}: not plain HTTP with a port")
    address = "127.0.0.1" if (parts.hostname or "") in _UNSPECIFIED else str(parts.hostname)
    try:
        stream = host.dial(address, parts.port)
    except OSError as error:
        raise Failed(f"no connection to the streaming URL {parts.scheme}://{parts.netloc}: {error}") from None
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return stream, parts.netloc, path or "/"


def read_head(stream: ByteStream) -> tuple[str, bytes]:
    """An answer's head, and what came after it. Raises Failed, OSError."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = stream.recv(4096)
        if not piece or len(data) > _MAX_HEAD:
            raise Failed(f"the streaming server ended its answer early: {data[:200]!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def _check_answer(head: str, rest: bytes, protocols: Sequence[str]) -> str:
    status, headers = headers_of(head)
    if status.split(" ")[1:2] != ["101"]:
        raise Failed(f"the streaming server answers {status!r}: {rest[:200]!r}")
    if headers.get("upgrade", "").lower() != "spdy/3.1":
        raise Failed(f"the connection was upgraded to {headers.get('upgrade')!r}, not SPDY/3.1")
    chosen = headers.get(PROTOCOL_HEADER.lower(), "")
    if chosen not in protocols:
        raise Failed(f"the server chose protocol {chosen!r} of {list(protocols)}")
    return chosen


def headers_of(head: str) -> tuple[str, dict[str, str]]:
    """Status line, and headers by their names in lower case."""
    status, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}
