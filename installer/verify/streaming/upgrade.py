"""Follow a streaming URL: connect as the node would, and upgrade the connection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from installer.verify.check import Failed
from installer.verify.host import ByteStream, Host
from pycri.streaming.upgrade import MAX_HEAD_BYTES, UpgradeRefused, address, chosen_protocol, request


def upgrade(host: Host, url: str, protocols: Sequence[str]) -> tuple[ByteStream, bytes, str]:
    """POST to `url` asking for SPDY/3.1; returns (connection, bytes after the answer, protocol chosen).

    Raises Failed when there is no connection or no 101.
    """
    stream, _, _ = open_connection(host, url)
    try:
        stream.settimeout(30.0)
        stream.sendall(request(urlsplit(url), protocols))
        head, rest = read_head(stream)
        return stream, rest, chosen_protocol(head, rest, protocols)
    except (OSError, UpgradeRefused, Failed) as error:
        with suppress(OSError):
            stream.close()
        if isinstance(error, OSError):
            raise Failed(f"the upgrade to SPDY broke off: {error}") from None
        raise Failed(str(error)) from None


def open_connection(host: Host, url: str) -> tuple[ByteStream, str, str]:
    """Connect to where `url` leads; returns (connection, netloc, path with query). Raises Failed."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise Failed(f"the streaming URL is {url}: not plain HTTP with a port")
    try:
        stream = host.dial(*address(parts))
    except UpgradeRefused as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"no connection to the streaming URL {parts.scheme}://{parts.netloc}: {error}") from None
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return stream, parts.netloc, path or "/"


def read_head(stream: ByteStream) -> tuple[str, bytes]:
    """An answer's head, and what came after it. Raises Failed, OSError."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = stream.recv(4096)
        if not piece or len(data) > MAX_HEAD_BYTES:
            raise Failed(f"the streaming server ended its answer early: {data[:200]!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest
