"""A host's unix sockets and TCP ports, reachable as sockets of this machine while a ``with`` block lasts.

A socket that only root may open (the CRI's, mode 0660) is reached through a small relay started as root on
the host, one per local connection: sshd's own stream forwarding would open it as the login user.
"""

from __future__ import annotations

import selectors
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko

from installer.ssh.connection import Connection

# Runs on the host with any Python 3: bytes from stdin to the socket and from the socket to stdout.
_RELAY = """
import os, socket, sys, threading
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
def up():
    while True:
        d = os.read(0, 65536)
        if not d:
            break
        s.sendall(d)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while True:
    d = s.recv(65536)
    if not d:
        break
    while d:
        d = d[os.write(1, d):]
"""


@contextmanager
def forward_unix_socket(connection: Connection, remote_path: str, python: str = "python3") -> Iterator[Path]:
    """Yield the path of a local socket whose every connection reaches ``remote_path`` on the host, as
    root."""
    with tempfile.TemporaryDirectory(prefix="nodestrap-") as directory:  # 0700: nobody else can connect
        path = Path(directory) / "forwarded.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        with _serve(listener, lambda: connection.open([python, "-c", _RELAY, remote_path], timeout=20)):
            yield path


@contextmanager
def forward_tcp(connection: Connection, remote_host: str, remote_port: int) -> Iterator[int]:
    """Yield a port on this machine's loopback that reaches ``remote_host:remote_port`` as the host sees
    it."""
    listener = socket.socket(socket.AF_INET)
    listener.bind(("127.0.0.1", 0))
    port = int(listener.getsockname()[1])

    def open_channel() -> paramiko.Channel:
        return connection.transport.open_channel(
            "direct-tcpip", (remote_host, remote_port), ("127.0.0.1", port), timeout=20
        )

    with _serve(listener, open_channel):
        yield port


@contextmanager
def _serve(listener: socket.socket, open_channel: Callable[[], paramiko.Channel]) -> Iterator[None]:
    """Accept in a thread, one pump thread per connection; leaving closes all and waits for the threads."""
    live: set[socket.socket] = set()
    threads: list[threading.Thread] = []

    def pump(local: socket.socket) -> None:
        with local:
            try:
                with open_channel() as channel:
                    channel.settimeout(None)
                    _pump(local, channel)
            except Exception:  # noqa: BLE001 - the local client sees its connection end, which is the message
                return
            finally:
                live.discard(local)

    def accept() -> None:
        while True:
            try:
                local, _ = listener.accept()
            except OSError:  # closed below
                return
            live.add(local)
            thread = threading.Thread(target=pump, args=(local,), name="nodestrap-forward", daemon=True)
            threads.append(thread)
            thread.start()

    listener.listen()
    acceptor = threading.Thread(target=accept, name="nodestrap-accept", daemon=True)
    acceptor.start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() alone does not
        listener.close()
        acceptor.join(timeout=5)
        for local in list(live):
            with suppress(OSError):
                local.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=5)


def _pump(local: socket.socket, channel: paramiko.Channel) -> None:
    """Copy both ways until the host's side ends; the client's end of input is passed on, not taken as the
    end."""
    with selectors.DefaultSelector() as selector:
        selector.register(local, selectors.EVENT_READ)
        selector.register(channel, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is local:
                    data = local.recv(65536)
                    if data:
                        channel.sendall(data)
                    else:
                        selector.unregister(local)
                        channel.shutdown_write()
                else:
                    data = channel.recv(65536)
                    if not data:
                        return
                    local.sendall(data)
