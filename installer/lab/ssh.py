"""SSH into lab hosts: keys made per lab, host keys known beforehand, one generated ssh_config."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from installer.errors import ConnectError
from installer.lab.tools import path_of, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from installer.lab.state import Host, Lab


def make_keys(lab: Lab) -> None:
    """Make root's key pair and the hosts' keys where they are missing; write known_hosts and config."""
    _key_pair(lab.private_key, f"nodestrap-lab-{lab.name}")
    lines, config = [], [_DEFAULTS.format(key=lab.private_key, known_hosts=lab.known_hosts)]
    for host in lab.hosts:
        key = host_key(lab, host)
        key.parent.mkdir(parents=True, exist_ok=True)
        _key_pair(key, host.name)
        kind, public = key.with_suffix(".pub").read_text().split()[:2]
        place = host.address if host.port == 22 else f"[{host.address}]:{host.port}"
        lines.append(f"{place} {kind} {public}\n")
        config.append(f"Host {host.name}\n  HostName {host.address}\n  Port {host.port}\n")
    lab.known_hosts.write_text("".join(lines))
    lab.ssh_config.write_text("".join(config[1:] + config[:1]))  # ssh takes the first value it meets


def host_key(lab: Lab, host: Host) -> Path:
    """The host's private host key; `.pub` beside it."""
    return lab.directory_of(host) / "ssh_host_ed25519_key"


def command(lab: Lab, host: Host, words: Sequence[str] = (), *, batch: bool = False) -> list[str]:
    """The ssh command line for `host`; `words` are joined by spaces there, as ssh does it."""
    options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=30"] if batch else []
    return [
        path_of("ssh"),
        "-F",
        str(lab.ssh_config),
        *options,
        host.name,
        *(["--", *words] if words else []),
    ]


def ask(lab: Lab, host: Host, script: str, *, timeout: float = 180) -> str:
    """What the shell line `script` prints on `host`. Raises NodestrapError when it fails."""
    return run(*command(lab, host, [script], batch=True), timeout=timeout)


def await_banner(host: Host, *, seconds: float, check: Callable[[], None]) -> None:
    """Return once the host's sshd answers; `check` is called meanwhile and raises when waiting is in vain.

    Raises ConnectError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not _banner(host):
        check()
        if time.monotonic() > deadline:
            raise ConnectError(
                f"its sshd does not answer on {host.address}:{host.port} after {seconds:.0f} s",
                host=host.name,
            )
        time.sleep(0.1)


def _banner(host: Host) -> bool:
    try:
        with socket.create_connection((host.address, host.port), timeout=2) as connection:
            connection.settimeout(20)  # an emulated host takes its time
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _key_pair(path: Path, comment: str) -> None:
    if not path.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))


_DEFAULTS = """Host *
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  StrictHostKeyChecking yes
  LogLevel ERROR
"""
