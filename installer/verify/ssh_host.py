"""A host over SSH, and its CRI socket as one of this machine's while a ``with`` block lasts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from installer.errors import ConnectError
from installer.ssh.connection import Connection
from installer.ssh.forward import forward_unix_socket
from installer.verify.endpoint import DEFAULT_ENDPOINT, Endpoint, normalise
from installer.verify.host import ByteStream, CommandResult, Host, HostError

# A refused forward is a check's to judge, not paramiko's to print on the terminal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class SshHost(Host):
    """The other end of a connection."""

    def __init__(self, connection: Connection) -> None:
        self.name = connection.host
        self._connection = connection

    def execute(self, script: str, *, stdin: bytes, timeout: float) -> CommandResult:
        try:
            done = self._connection.run(["sh", "-c", script], stdin=stdin, timeout=timeout)
        except (ConnectError, OSError, EOFError, paramiko.SSHException) as error:
            raise HostError(str(error) or type(error).__name__) from error
        return CommandResult(done.status, done.stdout, done.stderr)

    def dial(self, address: str, port: int, *, timeout: float = 10.0) -> ByteStream:
        try:
            channel = self._connection.transport.open_channel(
                "direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout
            )
        except (ConnectError, paramiko.SSHException) as error:
            raise OSError(f"{address}:{port} through SSH: {error}") from error
        channel.settimeout(timeout)
        return channel


@contextmanager
def over_ssh(
    connection: Connection, address: str = DEFAULT_ENDPOINT, *, python: str = "python3"
) -> Iterator[Endpoint]:
    """A host's endpoint, for ``run_tiers``; `python` is any Python 3 there. The connection stays open."""
    address = normalise(address)
    with forward_unix_socket(connection, address.removeprefix("unix://"), python) as path:
        yield Endpoint(SshHost(connection), address, f"unix://{path}")
