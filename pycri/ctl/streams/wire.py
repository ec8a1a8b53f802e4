"""A connection to a streaming server, upgraded to SPDY: never blocks once it is there."""

from __future__ import annotations

import socket
import ssl
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from urllib.parse import urlsplit

from pycri.ctl.errors import CtlError
from pycri.streaming.spdy.client import Event, SpdyClientConnection
from pycri.streaming.spdy.errors import SpdyError
from pycri.streaming.upgrade import MAX_HEAD_BYTES, UpgradeRefused, address, chosen_protocol, request

_TIMEOUT = 30.0  # s for connection and upgrade
_FULL = 1 << 20  # bytes waiting to be sent, from which on nothing more is read to be sent


def add_transport(parser: ArgumentParser) -> None:
    """How the streaming server is spoken to."""
    parser.add_argument(
        "-r", "--transport", choices=("spdy",), default="spdy", help="only SPDY/3.1 is spoken"
    )
    parser.add_argument("--tls-ca", metavar="FILE", help="CA of a streaming server with TLS")
    parser.add_argument("--tls-cert", metavar="FILE", help="client certificate for it")
    parser.add_argument("--tls-key", metavar="FILE", help="and its key")
    parser.add_argument(
        "--tls-sni", default="localhost", metavar="NAME", help="name in the server's certificate"
    )


class Wire:
    """The socket, and the SPDY connection on it."""

    def __init__(self, connection: socket.socket, early: bytes) -> None:
        self.socket = connection
        self.spdy = SpdyClientConnection()
        self.closed = False
        self._early = early
        self._unsent = bytearray()
        connection.setblocking(False)

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def has_output(self) -> bool:
        self._unsent += self.spdy.take_output()
        return bool(self._unsent)

    @property
    def is_full(self) -> bool:
        """Whether more should wait until the server has taken what it has."""
        return self.has_output and len(self._unsent) > _FULL

    @property
    def has_input(self) -> bool:
        """Whether something has arrived that the socket no longer shows as readable."""
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0
        return bool(self._early) or pending

    def flush(self) -> None:
        """Send what the socket takes. Raises CtlError: it broke."""
        while self.has_output:
            try:
                sent = self.socket.send(self._unsent[: 1 << 18])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError as error:
                raise CtlError(f"the streaming connection broke: {error}") from None
            del self._unsent[:sent]

    def receive(self) -> list[Event]:
        """What has happened. At the connection's end ``closed`` is set. Raises CtlError."""
        data, self._early = self._early, b""
        if not data:
            try:
                data = self.socket.recv(1 << 18)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return []
            except OSError as error:
                raise CtlError(f"the streaming connection broke: {error}") from None
        self.closed = not data
        try:
            return self.spdy.receive(data)
        except SpdyError as error:
            raise CtlError(f"the streaming server's SPDY is malformed: {error}") from None

    def close(self) -> None:
        self.socket.close()


def connect(url: str, protocols: Sequence[str], chosen: Namespace) -> Wire:
    """Follow a streaming URL. Raises CtlError: no connection, or no upgrade to one of the protocols."""
    parts = urlsplit(url)
    try:
        host, port = address(parts)
        connection = socket.create_connection((host, port), _TIMEOUT)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if parts.scheme == "https":
                connection = _context(chosen).wrap_socket(connection, server_hostname=chosen.tls_sni)
            connection.sendall(request(parts, protocols))
            head, early = _head(connection)
            chosen_protocol(head, early, protocols)
        except BaseException:
            connection.close()
            raise
    except (OSError, UpgradeRefused) as error:
        raise CtlError(f"no session at {parts.scheme}://{parts.netloc}: {error}") from None
    return Wire(connection, early)


def _context(chosen: Namespace) -> ssl.SSLContext:
    """Without --tls-ca any certificate will do: a runtime signs its own, and its URL came over its socket."""
    if bool(chosen.tls_cert) != bool(chosen.tls_key):
        raise CtlError("--tls-cert and --tls-key go together", code=2)
    context = ssl.create_default_context(cafile=chosen.tls_ca)
    if not chosen.tls_ca:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if chosen.tls_cert:
        context.load_cert_chain(chosen.tls_cert, chosen.tls_key)
    return context


def _head(connection: socket.socket) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        if not piece or len(data) > MAX_HEAD_BYTES:
            raise UpgradeRefused(f"it ended its answer early: {data[:200]!r}")
        data += piece
    head, _, early = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), early
