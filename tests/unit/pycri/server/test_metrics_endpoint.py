"""pycri/server/metrics_endpoint.py over a real socket."""

import asyncio
from urllib.parse import urlsplit

import pytest

from pycri.config import Config, Metrics
from pycri.server import metrics_endpoint
from pycri.server.metrics_endpoint import serve_metrics
from pycri.store import Store
from pycri.store.database import Database


async def ask(url, text):
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(text)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body.decode()


@pytest.fixture
def store(tmp_path):
    return Store(Database(str(tmp_path / "db")))


async def test_it_is_off_and_on_loopback_by_default(store):
    assert not Config().metrics.enabled
    assert Config().metrics.address == "127.0.0.1"
    async with serve_metrics(Metrics(), store) as url:
        assert url == ""


async def test_metrics_are_served(store):
    async with serve_metrics(Metrics(enabled=True, port=0), store) as url:
        status, body = await ask(url, b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status == "HTTP/1.1 200 OK"
        assert 'pycri_containers{state="running"} 0' in body
        assert 'pycri_sandboxes{state="ready"} 0' in body
        assert "# TYPE pycri_rpc_duration_seconds histogram" in body


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        (b"x" * (40 << 10), "400 Bad Request"),
        (b"\r\n\r\n", "405 Method Not Allowed"),
    ],
)
async def test_what_is_no_scrape_is_refused(store, request_text, status):
    async with serve_metrics(Metrics(enabled=True, port=0), store) as url:
        assert (await ask(url, request_text))[0] == f"HTTP/1.1 {status}"


async def test_who_says_nothing_is_let_go(store, monkeypatch):
    monkeypatch.setattr(metrics_endpoint, "_REQUEST_SECONDS", 0.1)
    async with serve_metrics(Metrics(enabled=True, port=0), store) as url:
        assert await ask(url, b"GET") == ("", "")
