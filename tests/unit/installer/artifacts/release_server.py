"""A loopback HTTP server with release files, that can be told to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Releases:
    """Files by path, and what to do wrong. Counts what was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    ranges: bool = True  # honour Range
    break_after: list[int] = field(default_factory=list)  # one answer each: bytes until it breaks
    statuses: list[int] = field(default_factory=list)  # for one answer each
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path and Range
    gate: threading.Event | None = None  # answers wait for it


@contextmanager
def serve() -> Iterator[Releases]:
    """Run the server on a free port of loopback for the ``with`` block."""
    releases = Releases()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            releases.requests.append((self.path, wanted))
            if releases.gate is not None:
                releases.gate.wait(10)
            status = releases.statuses.pop(0) if releases.statuses else 200
            body = releases.files.get(self.path)
            if status == 200 and body is None:
                status = 404
            if status != 200 or body is None:
                self.send_response(status)
                self.send_header("Retry-After", "0")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.answer(body, wanted)

        def answer(self, body: bytes, wanted: str | None) -> None:
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and releases.ranges else 0
            if start >= len(body) and start:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            part = body[start:]
            if releases.break_after:
                part = part[: releases.break_after.pop(0)]
                self.close_connection = True
            self.wfile.write(part)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    releases.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield releases
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
