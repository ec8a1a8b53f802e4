"""The client's side of a streaming URL: asking for SPDY, and reading the answer. Without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult

PROTOCOL_HEADER: Final = "X-Stream-Protocol-Version"
CHANNELS: Final = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
FORWARDING: Final = ("portforward.k8s.io",)
MAX_HEAD_BYTES: Final = 32 * 1024
_UNSPECIFIED: Final = {"", "0.0.0.0", "::"}


class UpgradeRefused(Exception):
    """The server does not upgrade the connection, or not as asked."""


def address(url: SplitResult) -> tuple[str, int]:
    """Where to connect; a server that names no address is on this host. Raises UpgradeRefused."""
    try:
        port = url.port
    except ValueError:
        port = None
    if url.scheme not in ("http", "https") or port is None:
        raise UpgradeRefused(f"the streaming URL is {url.geturl()}: not HTTP with a port")
    host = url.hostname or ""
    return "127.0.0.1" if host in _UNSPECIFIED else host, port


def request(url: SplitResult, protocols: Sequence[str]) -> bytes:
    """A POST that asks for SPDY/3.1 with one of the protocols, the dearest first."""
    path = f"{url.path}?{url.query}" if url.query else url.path
    lines = [
        f"POST {path or '/'} HTTP/1.1",
        f"Host: {url.netloc}",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        *(f"{PROTOCOL_HEADER}: {protocol}" for protocol in protocols),
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chosen_protocol(head: str, rest: bytes, protocols: Sequence[str]) -> str:
    """From the answer: `head` up to the empty line, and what follows it. Raises UpgradeRefused."""
    status, headers = headers_of(head)
    if status.split(" ")[1:2] != ["101"]:
        raise UpgradeRefused(f"the streaming server answers {status!r}: {rest[:200]!r}")
    if headers.get("upgrade", "").lower() != "spdy/3.1":
        raise UpgradeRefused(f"the connection was upgraded to {headers.get('upgrade')!r}, not SPDY/3.1")
    chosen = headers.get(PROTOCOL_HEADER.lower(), "")
    if chosen not in protocols:
        raise UpgradeRefused(f"the server chose protocol {chosen!r} of {list(protocols)}")
    return chosen


def headers_of(head: str) -> tuple[str, dict[str, str]]:
    """An answer's status line, and its headers by their names in lower case."""
    status, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}
