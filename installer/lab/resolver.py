"""Names on lab hosts: the controller's resolver where a host can reach it, and the lab's hosts by name."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from installer.lab.state import Host

_RESOLVED = Path("run/systemd/resolve/resolv.conf")


def resolv_conf(root: Path = Path("/")) -> str:
    """A resolv.conf for hosts with a loopback of their own.

    systemd-resolved's stub listens on the controller's loopback, where hosts cannot follow: then its real
    upstream servers are taken. Other loopback servers are left out.
    """
    own = _read(root / "etc/resolv.conf")
    if _loopback_only(own):
        own = _read(root / _RESOLVED) or own
    return "".join(line + "\n" for line in own.splitlines() if not _loopback_only(line))


def hosts_file(hosts: Iterable[Host], root: Path = Path("/")) -> str:
    """/etc/hosts: the lab's hosts, and what the controller's own says about other machines."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{host.address} {host.name}" for host in hosts if host.port == 22]
    for line in _read(root / "etc/hosts").splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1 and not _local(words[0]):
            lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _loopback_only(text: str) -> bool:
    """Whether `text` names servers, and all of them on loopback."""
    servers = [
        words[1] for line in text.splitlines() if len(words := line.split()) > 1 and words[0] == "nameserver"
    ]
    return bool(servers) and all(_local(server) for server in servers)


def _local(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
