"""The HTTP server that exec, attach and port-forward clients are sent to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from pycri.streaming.http import BadRequest, HeadReader, Request, response
from pycri.streaming.link import Link
from pycri.streaming.sessions import PATHS, SessionRequest
from pycri.streaming.tokens import Tokens

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0
IDLE_SECONDS = 4 * 3600.0  # the kubelet's own limit
MAX_CONNECTIONS = 1000
_IDLE_CHECK_SECONDS = 60.0
_CLOSE_SECONDS = 5.0


class Session(Protocol):
    """One upgraded connection: ``begin`` right after the answer, then ``receive`` and ``run`` together."""

    answer: bytes

    def begin(self, link: Link) -> None: ...

    def receive(self, data: bytes) -> None: ...

    async def run(self) -> None:
        """Returns when the session is over; the connection is cut then."""


#: Makes the session for a redeemed token. Raises BadRequest.
Handler = Callable[[Request, SessionRequest], Session]


class StreamingServer:
    """Listens, redeems tokens, and keeps one task for each session."""

    def __init__(self, handler: Handler) -> None:
        self.tokens: Tokens[SessionRequest] = Tokens()
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._base = ""
        self.connections: set[_Connection] = set()

    async def start(self, address: str, port: int) -> None:
        """OSError: the address cannot be listened on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), address, port)
        host, port = self._server.sockets[0].getsockname()[:2]
        self._base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        log.info("streaming server on %s", self._base)

    def prepare(self, session: SessionRequest) -> str:
        """The URL of a session, good once and for 60 s. Raises ResourceExhausted."""
        return f"{self._base}/{PATHS[type(session)]}/{self.tokens.add(session)}"

    async def stop(self) -> None:
        """Ends every session; what they made is removed before this returns."""
        if self._server is not None:
            self._server.close()
        tasks = [connection.end() for connection in list(self.connections)]
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
        if self._server is not None:
            with contextlib.suppress(asyncio.TimeoutError):  # from Python 3.12 on it waits for every client
                await asyncio.wait_for(self._server.wait_closed(), _CLOSE_SECONDS)

    def upgrade(self, request: Request) -> Session:
        """Raises BadRequest."""
        words = request.path.split("/")
        if len(words) != 3 or words[0] or words[1] not in PATHS.values():
            raise BadRequest(HTTPStatus.NOT_FOUND, "no such path")
        session = self.tokens.redeem(words[2])
        if session is None or PATHS[type(session)] != words[1]:
            raise BadRequest(HTTPStatus.NOT_FOUND, "the token is unknown, used or older than 60 s")
        return self._handler(request, session)


class _Connection(asyncio.Protocol):
    def __init__(self, server: StreamingServer) -> None:
        self._server = server
        self._head = HeadReader()
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._server.connections) >= MAX_CONNECTIONS:
            self._refuse(BadRequest(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections"))
            return
        self._server.connections.add(self)
        self._timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._link is not None:
            self._link.received(data)
            return
        try:
            complete = self._head.feed(data)
            if complete is not None:
                self._start(self._server.upgrade(complete[0]), complete[1])
        except BadRequest as error:
            self._refuse(error)

    def eof_received(self) -> bool:
        return False  # a client that has shut its direction down has no further use for ours

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's interface
        if self._link is not None:
            self._link.connection_lost()
        if self._task is None:
            self._forget()

    def pause_writing(self) -> None:
        if self._link is not None:
            self._link.pause_writing()

    def resume_writing(self) -> None:
        if self._link is not None:
            self._link.resume_writing()

    def end(self) -> asyncio.Task[None] | None:
        """Cancels the session; its task, for who wants to wait."""
        if self._task is None:
            self._transport.abort()
        else:
            self._task.cancel()
        return self._task

    def _start(self, session: Session, rest: bytes) -> None:
        assert self._timer is not None
        self._timer.cancel()
        self._link = Link(self._transport, session.receive)
        self._transport.write(session.answer)
        session.begin(self._link)
        self._task = asyncio.ensure_future(self._run(session))
        self._task.add_done_callback(self._done)
        self._watch_idle()
        if rest:
            self._link.received(rest)

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        except Exception:
            log.exception("a streaming session failed")

    def _done(self, _: asyncio.Task[None]) -> None:
        """Also for a task that was cancelled before it ran."""
        assert self._link is not None
        self._link.abort()
        self._link.release()
        self._forget()

    def _watch_idle(self) -> None:
        assert self._link is not None
        loop = asyncio.get_running_loop()
        if loop.time() - self._link.last_activity > IDLE_SECONDS:
            log.info("a streaming session was idle for %.0f s and is ended", IDLE_SECONDS)
            self.end()
        else:
            self._timer = loop.call_later(_IDLE_CHECK_SECONDS, self._watch_idle)

    def _refuse(self, error: BadRequest) -> None:
        self._transport.write(response(error.status, body=f"{error}\n"))
        self._transport.close()

    def _forget(self) -> None:
        self._server.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
