"""Network namespaces: made without executing anything, kept by a bind mount, their ``lo`` up."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import secrets
import socket
import struct
from pathlib import Path

from pycri import mounting, syscalls

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def new_path(directory: str, owner: str) -> str:
    """A path nobody uses yet: ``directory``/pycri-<16 hex>, the first six of them for ``owner``.

    The owner is pycri's state directory: another pycri on this host must not take ours for leftovers.
    """
    return f"{directory}/{_prefix(owner)}{secrets.token_hex(5)}"


def of_owner(directory: str, owner: str) -> list[str]:
    """Every path there that ``new_path`` has made for ``owner``."""
    return [str(path) for path in Path(directory).glob(f"{_prefix(owner)}*")]


def _prefix(owner: str) -> str:
    return "pycri-" + hashlib.sha256(owner.encode()).hexdigest()[:6]


async def create(path: str) -> None:
    """Make a namespace mounted at ``path``, with ``lo`` up. Raises OSError; nothing is left then."""
    # A thread of its own, never a pool's: it stays in the new namespace until it ends.
    making = asyncio.ensure_future(mounting.in_own_thread(lambda: _create(path)))
    try:
        await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.wait([making])
        if making.exception() is None:
            remove(path)
        raise


async def raise_loopback(path: str) -> None:
    """Set ``lo`` up in the namespace mounted at ``path``. Raises OSError."""

    def work() -> None:
        namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(namespace, syscalls.CLONE_NEWNET)
        finally:
            os.close(namespace)
        _loopback_up()

    await mounting.in_own_thread(work)


def remove(path: str) -> None:
    """Unmount and delete; a path that is gone is fine. The namespace lives while a process is in it."""
    mounting.unmount(path)
    Path(path).unlink(missing_ok=True)


def exists(path: str) -> bool:
    """Whether a namespace is mounted at ``path`` (after a reboot there is no file, or an empty one)."""
    try:
        return Path(path).stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except FileNotFoundError:
        return False


def _create(path: str) -> None:
    Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    try:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        syscalls.mount("/proc/thread-self/ns/net", path, "none", syscalls.MS_BIND)
        _loopback_up()
    except OSError:
        remove(path)
        raise


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack_from("16sh", fcntl.ioctl(link, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(link, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
