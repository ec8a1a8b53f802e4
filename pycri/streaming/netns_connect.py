"""TCP connections to localhost inside a pod's network namespace, without a process for each.

A socket stays in the namespace it was made in. So a thread enters the namespace, makes the sockets and ends;
no other thread ever sees the namespace, and the event loop connects them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import threading

_CLONE_NEWNET = 0x40000000
_CONNECT_SECONDS = 10.0
_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

_libc = ctypes.CDLL(None, use_errno=True)


async def connect_in_netns(netns_path: str, port: int) -> socket.socket:
    """A connected non-blocking socket: IPv4 localhost, then IPv6. Raises OSError with both reasons.

    An empty ``netns_path`` is this process's own namespace.
    """
    loop = asyncio.get_running_loop()
    sockets = await _sockets_in(netns_path)
    reasons: list[str] = []
    try:
        for candidate, (_, address) in zip(list(sockets), _ADDRESSES, strict=True):
            if candidate is None:
                continue
            try:
                await asyncio.wait_for(loop.sock_connect(candidate, (address, port)), _CONNECT_SECONDS)
            except (OSError, asyncio.TimeoutError) as error:
                reasons.append(f"{address}: {error or 'timed out'}")
            else:
                sockets.remove(candidate)
                return candidate
    finally:
        for candidate in sockets:
            if candidate is not None:
                candidate.close()
    where = f" inside {netns_path}" if netns_path else ""
    raise OSError(f"failed to connect to localhost:{port}{where}: {'; '.join(reasons)}")


async def _sockets_in(netns_path: str) -> list[socket.socket | None]:
    if not netns_path:
        return _sockets()
    loop = asyncio.get_running_loop()
    made: asyncio.Future[list[socket.socket | None]] = loop.create_future()

    def enter() -> None:
        try:
            with contextlib.closing(_Netns(netns_path)) as netns:
                netns.enter()
            result = _sockets()
        except OSError as error:
            loop.call_soon_threadsafe(_settle, made, error)
        else:
            loop.call_soon_threadsafe(_settle, made, result)

    # a thread of its own: one from a pool would go on living in the pod's namespace
    threading.Thread(target=enter, name="netns", daemon=True).start()
    return await made


def _settle(
    made: asyncio.Future[list[socket.socket | None]], result: list[socket.socket | None] | OSError
) -> None:
    if isinstance(result, OSError):
        if not made.done():
            made.set_exception(result)
    elif made.done():  # the waiter was cancelled
        for unused in result:
            if unused is not None:
                unused.close()
    else:
        made.set_result(result)


def _sockets() -> list[socket.socket | None]:
    return [_socket(family) for family, _ in _ADDRESSES]


def _socket(family: socket.AddressFamily) -> socket.socket | None:
    """None where the kernel does not have the address family."""
    try:
        return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    except OSError:
        return None


class _Netns:
    """A network namespace by its path."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def enter(self) -> None:
        """setns(2) for the calling thread."""
        if _libc.setns(self._fd, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), self._path)

    def close(self) -> None:
        os.close(self._fd)
