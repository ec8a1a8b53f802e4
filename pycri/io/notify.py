"""systemd's notification socket: readiness, stopping, and the file descriptor store.

sd_notify(3) and https://systemd.io/FILE_DESCRIPTOR_STORE/. Without NOTIFY_SOCKET in the environment every
call does nothing and says so by its result.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable

log = logging.getLogger(__name__)


def notify(message: str, fds: Iterable[int] = ()) -> bool:
    """Sends ``message`` (lines of KEY=value) with ``fds``; False when there is nobody to tell."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(1.0)  # a busy systemd must not hold up the streams
            sender.connect(address)
            socket.send_fds(sender, [message.encode()], list(fds))
    except OSError as error:
        log.warning("systemd was not notified of %r: %s", message.replace("\n", " "), error)
        return False
    return True


def store_fd(name: str, fd: int) -> bool:
    """Leaves a copy of ``fd`` with systemd under ``name``; it comes back to the next process of the unit."""
    # FDPOLL=0: a pipe whose peer has hung up may still hold output that nobody has read.
    return notify(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", [fd])


def forget_fds(name: str) -> bool:
    """Drops every stored descriptor of that name."""
    return notify(f"FDSTOREREMOVE=1\nFDNAME={name}")


def take_stored_fds() -> dict[str, int]:
    """The descriptors systemd kept for this process, by name. The environment is cleared: call it once."""
    count = int(os.environ.pop("LISTEN_FDS", "0") or "0")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    pid = os.environ.pop("LISTEN_PID", "")
    if count == 0 or pid != str(os.getpid()):
        return {}
    found: dict[str, int] = {}
    for fd, name in zip(range(3, 3 + count), names, strict=False):
        os.set_inheritable(fd, False)
        if name in found:  # stored twice, for example across a failed removal
            os.close(found[name])
        found[name] = fd
    return found
