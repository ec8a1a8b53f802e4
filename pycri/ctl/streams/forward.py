"""Port-forward: ports here, each connection to them a pair of streams to a port in the pod."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pycri.ctl.errors import CtlError
from pycri.ctl.streams.wire import Wire, connect
from pycri.streaming.spdy.client import Event
from pycri.streaming.spdy.connection import DataReceived, StreamEnded, StreamReset
from pycri.streaming.upgrade import FORWARDING

_FULL = 1 << 20  # bytes that a local peer has not taken, from which on the whole session waits for it


def ports(text: str) -> tuple[int, int]:
    """``8080:80``, ``80`` for the same on both sides, ``:80`` for any here. Raises ArgumentTypeError."""
    found = re.fullmatch(r"(?:(\d*):)?(\d+)", text)
    if found is None or not 0 < int(found[2]) < 1 << 16 or int(found[1] or 0) >= 1 << 16:
        raise ArgumentTypeError(f"{text!r} is not [LOCAL:]REMOTE, two ports up to 65535")
    local = found[2] if found[1] is None else found[1] or "0"
    return int(local), int(found[2])


def forward(url: str, chosen: Namespace, wanted: Sequence[tuple[int, int]]) -> None:
    """Until interrupted. Raises CtlError: a port is taken, or the session ends."""
    with contextlib.ExitStack() as stack:
        listeners = {}
        for local, remote in wanted:
            for listener in _listen(local):
                stack.callback(listener.close)
                listeners[listener] = remote
        wire = stack.enter_context(contextlib.closing(connect(url, FORWARDING, chosen)))
        for listener, remote in listeners.items():
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"Forwarding from {shown}:{port} -> {remote}", flush=True)
        _Forwarder(wire, listeners).run()


def _listen(port: int) -> Iterator[socket.socket]:
    """On both loopback addresses, where the host has them. Raises CtlError."""
    try:
        first = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise CtlError(f"port {port} of 127.0.0.1 cannot be listened on: {error.strerror}") from None
    yield first
    with contextlib.suppress(OSError):
        yield socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6)


@dataclass(eq=False)
class _Connection:
    """One local connection and its two streams."""

    socket: socket.socket
    data: int
    error: int
    unsent: bytearray = field(default_factory=bytearray)
    local_ended: bool = False
    pod_ended: bool = False
    error_ended: bool = False
    failure: bytes = b""


class _Forwarder:
    def __init__(self, wire: Wire, listeners: dict[socket.socket, int]) -> None:
        self._wire = wire
        self._listeners = {listener.fileno(): (listener, port) for listener, port in listeners.items()}
        self._connections: dict[int, _Connection] = {}  # by file descriptor
        self._streams: dict[int, _Connection] = {}  # by stream id
        self._requests = 0

    def run(self) -> None:
        try:
            while not self._wire.closed:
                self._wire.flush()
                self._turn()
        finally:
            for connection in self._connections.values():
                connection.socket.close()
        raise CtlError("the runtime ended the session: is the pod still there?")

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        held = any(len(connection.unsent) > _FULL for connection in self._connections.values())
        for descriptor, events in self._ready(held=held):
            if descriptor in self._listeners:
                self._accept(*self._listeners[descriptor])
            elif connection := self._connections.get(descriptor):
                if events & select.POLLOUT:
                    self._write(connection)
                if events & ~select.POLLOUT and descriptor in self._connections:
                    self._read(connection)
        if not held:
            for event in self._wire.receive():
                self._take(event)

    def _ready(self, *, held: bool) -> list[tuple[int, int]]:
        """Who can go on. Whoever waits for nothing is not asked: a peer that hung up would always answer."""
        poll = select.poll()
        wants = {self._wire.fileno(): (not held, self._wire.has_output)}
        wants |= dict.fromkeys(self._listeners, (True, False))
        reads = not self._wire.is_full
        for descriptor, connection in self._connections.items():
            wants[descriptor] = (reads and not connection.local_ended, bool(connection.unsent))
        for descriptor, (reading, writing) in wants.items():
            if reading or writing:
                mask = (select.POLLIN if reading else 0) | (select.POLLOUT if writing else 0)
                poll.register(descriptor, mask)
        return poll.poll(0 if self._wire.has_input and not held else None)

    def _accept(self, listener: socket.socket, port: int) -> None:
        accepted, _ = listener.accept()
        accepted.setblocking(False)
        print(f"Handling connection for {listener.getsockname()[1]}", flush=True)
        headers = {"port": str(port), "requestID": str(self._requests)}
        self._requests += 1
        error = self._wire.spdy.open({"streamType": "error", **headers}, fin=True)
        data = self._wire.spdy.open({"streamType": "data", **headers})
        connection = _Connection(accepted, data, error)
        self._connections[accepted.fileno()] = connection
        self._streams |= {error: connection, data: connection}

    def _read(self, connection: _Connection) -> None:
        """From the local peer to the pod."""
        try:
            data = connection.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:  # it went without a word
            self._close(connection)
            return
        connection.local_ended = not data
        self._wire.spdy.send(connection.data, data, fin=not data)
        self._settle(connection)

    def _write(self, connection: _Connection) -> None:
        """From the pod to the local peer."""
        try:
            del connection.unsent[: connection.socket.send(connection.unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)
            return
        self._settle(connection)

    def _take(self, event: Event) -> None:
        if not isinstance(event, DataReceived | StreamEnded | StreamReset):
            return
        connection = self._streams.get(event.stream_id)
        if connection is None:
            return
        if event.stream_id == connection.error:
            self._take_error(connection, event)
        elif not isinstance(event, DataReceived):
            connection.pod_ended = True
            self._settle(connection)
        elif connection.socket.fileno() >= 0:  # else its local peer is gone
            connection.unsent += event.data
        self._forget(connection)

    def _take_error(self, connection: _Connection, event: DataReceived | StreamEnded | StreamReset) -> None:
        """Why there is no connection in the pod; it may come after the end of the data."""
        if isinstance(event, DataReceived):
            connection.failure += event.data
            return
        connection.error_ended = True
        if connection.failure:
            print(f"error: {connection.failure.decode(errors='replace')}", file=sys.stderr, flush=True)
            self._close(connection)

    def _settle(self, connection: _Connection) -> None:
        """End what has nothing more to say: our half towards the local peer, or all of it."""
        if not connection.pod_ended or connection.unsent:
            return
        if connection.local_ended:
            self._close(connection)
        else:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_WR)

    def _close(self, connection: _Connection) -> None:
        """Towards the local peer; the streams stay known until the pod's side has ended them."""
        if self._connections.pop(connection.socket.fileno(), None) is None:
            return
        connection.socket.close()
        if not connection.local_ended:
            connection.local_ended = True
            self._wire.spdy.send(connection.data, b"", fin=True)
        self._forget(connection)

    def _forget(self, connection: _Connection) -> None:
        if connection.socket.fileno() < 0 and connection.pod_ended and connection.error_ended:
            self._streams.pop(connection.data, None)
            self._streams.pop(connection.error, None)
