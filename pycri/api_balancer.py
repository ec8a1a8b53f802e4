"""``pycri api-balancer``: this node's own way to whichever control plane answers.

Every node listens on its loopback and passes connections on, byte for byte: TLS is between the kubelet and
the API server. It has nothing to do with the CRI; it is here because every node has pycri's archive anyway.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycri.keepalive import keep_alive

_log = logging.getLogger(__name__)
CONFIG = Path("/etc/nodestrap/api-balancer.json")
_CONNECT_SECONDS = 2.0
_CHUNK = 1 << 16
# A host whose power was cut says nothing: its connections end after about ten seconds, not in hours.
_IDLE_SECONDS, _INTERVAL_SECONDS, _COUNT = 4, 2, 3
_USER_TIMEOUT_MS = 10_000


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """``192.0.2.1:6443`` or ``[2001:db8::1]:6443``. Raises ValueError."""
        host, _, port = text.rpartition(":")
        return cls(host.strip("[]"), int(port))


class Balancer:
    """Stays with a server for as long as that takes connections; then goes on to the next."""

    def __init__(self, servers: Sequence[Address]) -> None:
        self._servers = list(servers)

    async def serve(self, listen: Address) -> None:
        """Until cancelled. Raises OSError when the port is taken."""
        server = await asyncio.start_server(self._accepted, listen.host, listen.port)
        async with server:
            await server.serve_forever()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection to the first server that takes one; those that did not go to the end."""
        for server in tuple(self._servers):
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(server.host, server.port), _CONNECT_SECONDS
                )
            except (OSError, asyncio.TimeoutError) as error:  # noqa: PERF203 - Python 3.10's is another
                _log.warning("%s:%d: %s", server.host, server.port, error or "no answer")
                if self._servers[0] == server:
                    self._servers.append(self._servers.pop(0))
            else:
                _watch_over(writer)
                return reader, writer
        return None

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await self.connect()
        if upstream is None:
            writer.close()
            return
        try:
            await asyncio.gather(_copy(reader, upstream[1]), _copy(upstream[0], writer))
        finally:
            writer.close()
            upstream[1].close()


def main(config: Path = CONFIG) -> int:
    """Run until killed."""
    content = json.loads(config.read_text())
    servers = [Address.parse(text) for text in content["servers"]]
    random.shuffle(servers)  # nodes spread over the control planes
    asyncio.run(Balancer(servers).serve(Address.parse(content["listen"])))
    return 0


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One way, to its end; an end of input is passed on, an error ends the connection."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


def _watch_over(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    keep_alive(sock, idle=_IDLE_SECONDS, interval=_INTERVAL_SECONDS, count=_COUNT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
