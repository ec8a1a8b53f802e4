"""A registry that misbehaves on request: a loopback HTTP server that answers from a script.

Not a registry's implementation; for well-behaved ones tests use Debian's docker-registry.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass
class Request:
    """What a client sent. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Answer:
    """``cut_after`` bytes of the body the connection is closed; ``body`` still sets the length.

    ``pause`` is called in the middle of the body, and may take its time.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    pause: Callable[[], object] | None = None


Handler = Callable[[Request], Answer]


class FakeRegistry:
    """``answer`` decides what each request gets; ``requests`` has them all."""

    def __init__(self, answer: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        fake = self

        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, self.rfile.read(length))
                fake.requests.append(request)
                answer = fake.answer(request)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                body = b"" if self.command == "HEAD" else answer.body[: answer.cut_after]
                half = len(body) // 2
                with suppress(ConnectionError):  # the client may have had enough
                    self.wfile.write(body[:half])
                    if answer.pause is not None:
                        answer.pause()
                    self.wfile.write(body[half:])
                if answer.cut_after is not None:
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = _serve  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.address}"

    def __enter__(self) -> FakeRegistry:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
