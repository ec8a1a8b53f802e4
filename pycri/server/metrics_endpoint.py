"""The daemon's own metrics over HTTP: ``GET /metrics``, off unless [metrics] has ``enabled = true``."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from pycri._generated import cri_pb2 as cri
from pycri.config import Metrics
from pycri.stats import process
from pycri.stats.instruments import COUNTED, Gauge, Instrument, render
from pycri.store import Store

log = logging.getLogger(__name__)

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_REQUEST_SECONDS = 10.0
_MAX_REQUEST = 16 << 10
_MAX_CONNECTIONS = 16


@asynccontextmanager
async def serve_metrics(settings: Metrics, store: Store) -> AsyncIterator[str]:
    """Serve while the block runs; the base URL, empty when it is switched off. Raises OSError."""
    if not settings.enabled:
        yield ""
        return
    page = _Page(store)
    server = await asyncio.start_server(page.answer, settings.address, settings.port, limit=_MAX_REQUEST)
    host, port = server.sockets[0].getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    log.info("metrics of pycri itself are on %s/metrics", url)
    try:
        yield url
    finally:
        server.close()


class _Page:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._connections = 0
        self._instruments: tuple[Instrument, ...] = (
            *COUNTED,
            Gauge("pycri_sandboxes", "Sandboxes on record.", ("state",), self._sandboxes),
            Gauge("pycri_containers", "Containers on record.", ("state",), self._containers),
            *process.instruments(),
        )

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; the connection ends with its answer, so a client that dawdles holds nothing long."""
        self._connections += 1
        try:
            status, body = await asyncio.wait_for(self._respond(reader), _REQUEST_SECONDS)
            head = f"HTTP/1.1 {status}\r\nContent-Type: {_TYPE}\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await asyncio.wait_for(writer.drain(), _REQUEST_SECONDS)
        except (OSError, asyncio.TimeoutError):
            pass  # it went away, or never asked
        finally:
            self._connections -= 1
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader) -> tuple[str, bytes]:
        if self._connections > _MAX_CONNECTIONS:
            return "503 Service Unavailable", b"too many connections\n"
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return "400 Bad Request", b"not a request\n"
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or words[0] != b"GET":
            return "405 Method Not Allowed", b"GET only\n"
        if words[1].partition(b"?")[0] != b"/metrics":
            return "404 Not Found", b"the metrics are at /metrics\n"
        return "200 OK", render(self._instruments).encode()

    def _sandboxes(self) -> Iterator[tuple[tuple[str, ...], float]]:
        ready = sum(record.ready for record in self._store.sandboxes if record.created)
        total = sum(record.created for record in self._store.sandboxes)
        yield ("ready",), ready
        yield ("not_ready",), total - ready

    def _containers(self) -> Iterator[tuple[tuple[str, ...], float]]:
        found = Counter(record.state for record in self._store.containers if record.created)
        for name, number in cri.ContainerState.items():
            yield (name.removeprefix("CONTAINER_").lower(),), found[number]
