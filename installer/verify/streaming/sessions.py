"""Exec, attach and port-forward sessions over SPDY, in the kubelet's protocols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from installer.verify.check import Failed, NotApplicable
from installer.verify.client import CriError
from installer.verify.host import Host
from installer.verify.streaming.spdy import SpdyClient
from installer.verify.streaming.upgrade import upgrade
from pycri.streaming.status import Status
from pycri.streaming.upgrade import CHANNELS, FORWARDING


def url_of(call: Any, request: Any) -> str:
    """The URL that a streaming RPC answers with. Raises NotApplicable when it is not served, CriError."""
    try:
        url = str(call(request).url)
    except CriError as error:
        if error.code == "UNIMPLEMENTED":
            raise NotApplicable(f"the endpoint does not serve {error.method}") from None
        raise
    if not url:
        raise Failed("the answer has no url")
    return url


@dataclass(frozen=True)
class Channels:
    """An exec or attach session: its connection, and a stream per name."""

    spdy: SpdyClient
    protocol: str
    streams: dict[str, int]

    def text(self, name: str) -> bytes:
        """What a stream has said so far."""
        return self.spdy.data[self.streams[name]]

    def write(self, data: bytes, *, end: bool = False) -> None:
        """To stdin."""
        self.spdy.send(self.streams["stdin"], data, fin=end)

    def expect(self, name: str, wanted: bytes) -> None:
        """Wait until a stream has said `wanted`. Raises Failed."""
        self.spdy.wait_data(self.streams[name], wanted)

    def finish(self) -> int:
        """Wait for the end; the exit code that the error stream tells. Raises Failed for another end."""
        self.spdy.wait_end(*(stream for name, stream in self.streams.items() if name != "stdin"))
        return exit_code(self.text("error"))


@contextmanager
def channels(host: Host, url: str, names: Sequence[str]) -> Iterator[Channels]:
    """Open an exec or attach session with streams for `names` besides ``error``. Raises Failed."""
    stream, rest, protocol = upgrade(host, url, CHANNELS)
    with SpdyClient(stream, rest) as spdy:
        ids = {name: spdy.open({"streamType": name}) for name in ("error", *names)}
        spdy.wait_reply(*ids.values())
        yield Channels(spdy, protocol, ids)


@contextmanager
def forwarding(host: Host, url: str) -> Iterator[SpdyClient]:
    """Open a port-forward session. Raises Failed."""
    stream, rest, _ = upgrade(host, url, FORWARDING)
    with SpdyClient(stream, rest) as spdy:
        yield spdy


def forward(spdy: SpdyClient, port: int, request_id: int) -> tuple[int, int]:
    """Open one forwarded connection; returns its (data, error) streams. Raises Failed."""
    common = {"port": str(port), "requestID": str(request_id)}
    error = spdy.open({"streamType": "error", **common}, fin=True)
    data = spdy.open({"streamType": "data", **common})
    spdy.wait_reply(data, error)
    return data, error


def exit_code(status: bytes) -> int:
    """From a v4 error stream: a meta/v1 Status, of which a missing one means success. Raises Failed."""
    ended = Status.decode(status)
    if ended.error:
        raise Failed(f"the session ended with {ended.error[:200]}")
    return ended.exit_code
