"""Where a CRI endpoint is: the host that serves it, its address there, and how gRPC reaches it from here."""

from __future__ import annotations

from dataclasses import dataclass

from installer.errors import UsageError
from installer.verify.host import Host, LocalHost

DEFAULT_ENDPOINT = "unix:///run/pycri/pycri.sock"


@dataclass(frozen=True)
class Endpoint:
    """One CRI endpoint."""

    host: Host
    address: str
    """``unix:///path`` on the host."""
    target: str
    """What gRPC connects to on this machine: the same, or the local end of a tunnel."""

    @property
    def path(self) -> str:
        """The socket's path on the host."""
        return self.address.removeprefix("unix://")


def local(address: str = DEFAULT_ENDPOINT) -> Endpoint:
    """An endpoint of this machine; a bare path is a unix socket. Raises UsageError for anything else."""
    address = normalise(address)
    return Endpoint(LocalHost(), address, address)


def normalise(address: str) -> str:
    """``unix:///path`` from that or from a bare absolute path. Raises UsageError."""
    if address.startswith("/"):
        return f"unix://{address}"
    if address.startswith("unix:///"):
        return address
    raise UsageError(
        f"{address!r} is no CRI endpoint.", fix="give a socket's path, e.g. unix:///run/pycri/pycri.sock"
    )
