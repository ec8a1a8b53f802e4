"""TCP's own question whether the other end is still there (tcp(7)): one that has vanished says nothing."""

from __future__ import annotations

import socket


def keep_alive(connection: socket.socket, *, idle: int, interval: int, count: int) -> None:
    """After ``idle`` seconds of silence asks every ``interval`` seconds; unanswered ``count`` times, it ends.

    Raises OSError: the connection is gone already.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
