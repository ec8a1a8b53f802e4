"""OpenSSH's view of a host. Its own resolver (``ssh -G``) reads the user's configuration and the inventory's
ssh arguments, so that paramiko and Ansible's ssh cannot disagree about names, users, keys and bastions."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from installer.errors import ConnectError, InventoryError
from installer.ssh.settings import ConnectionSettings

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
USER_CONFIG = Path("~/.ssh/config")


@dataclass(frozen=True)
class ResolvedHost:
    """What to hand to paramiko."""

    address: str
    port: int
    user: str
    known_as: str  # HostKeyAlias, which carries no port, or the address
    known_port: int
    identity_files: tuple[Path, ...]  # those that exist, the inventory's first
    identities_only: bool
    agent: bool
    proxy_command: str | None  # a shell command that gives a byte stream to the host's sshd


def write_config(path: Path, known_hosts_file: Path, *, pin_bastions: bool) -> Path:
    """Write the ssh_config that every ssh of a run gets with -F, and return ``path``.

    ssh takes the first value it finds, so ours stand before the user's file. ``pin_bastions`` is on while
    connecting: bastions are reached by ssh itself and pinned by it; afterwards nothing new is accepted.
    """
    checking = "accept-new" if pin_bastions else "yes"
    lines = [
        "Host *",
        f"  StrictHostKeyChecking {checking}",
        f'  UserKnownHostsFile "{known_hosts_file}"',
        "  GlobalKnownHostsFile /dev/null",
        "  HashKnownHosts no",
        "  UpdateHostKeys no",  # would rewrite the pins behind our back
        "  BatchMode no",
        "  ForwardAgent no",
        "  ForwardX11 no",
        "  PermitLocalCommand no",
        "  RequestTTY no",
        "  LogLevel ERROR",
        "  ConnectTimeout 10",
        "  ServerAliveInterval 15",
    ]
    for config in (USER_CONFIG.expanduser(), SYSTEM_CONFIG):
        if config.is_file():
            lines += ["Match all", f'Include "{config}"']
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


def resolve(host: str, settings: ConnectionSettings, config: Path) -> ResolvedHost:
    """Ask ssh what it would do for this host; ConnectError when there is no ssh, InventoryError for bad
    args."""
    command = ["ssh", "-F", str(config), "-G"]
    if settings.port is not None:
        command += ["-p", str(settings.port)]
    if settings.user is not None:
        command += ["-l", settings.user]
    command += [*settings.ssh_args, "--", settings.address]
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
        )
    except FileNotFoundError:
        raise ConnectError(
            "there is no ssh on this controller", step="connect", fix="apt install openssh-client"
        ) from None
    if answer.returncode != 0:
        raise InventoryError(
            f"ssh does not understand its arguments: {answer.stderr.strip()}",
            host=host,
            fix="correct ansible_ssh_common_args or ansible_ssh_extra_args",
        )
    return parse(answer.stdout, settings, config)


def parse(output: str, settings: ConnectionSettings, config: Path) -> ResolvedHost:
    """Read ``ssh -G``'s lines of ``keyword value``."""
    values: dict[str, list[str]] = {}
    for line in output.splitlines():
        keyword, _, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value)

    def last(keyword: str, default: str = "") -> str:
        return values.get(keyword, [default])[-1]

    address, port = last("hostname", settings.address), int(last("port", "22"))
    found = [Path(name).expanduser() for name in values.get("identityfile", [])]
    explicit = [settings.private_key_file] if settings.private_key_file else []
    return ResolvedHost(
        address=address,
        port=port,
        user=last("user"),
        known_as=last("hostkeyalias") or address,
        known_port=22 if last("hostkeyalias") else port,
        identity_files=tuple(dict.fromkeys([*explicit, *(path for path in found if path.is_file())])),
        identities_only=last("identitiesonly", "no") == "yes",
        agent=last("identityagent") != "none",
        proxy_command=_proxy_command(last("proxyjump"), last("proxycommand"), address, port, config),
    )


def _proxy_command(jump: str, command: str, address: str, port: int, config: Path) -> str | None:
    """ProxyJump spelled out the way ssh itself does it, with our configuration; ProxyCommand as it is."""
    if jump and jump != "none":
        *via, last_hop = jump.split(",")
        words = ["ssh", "-F", str(config), *(["-J", ",".join(via)] if via else [])]
        name, hop_port = _split_port(last_hop.removeprefix("ssh://"))
        words += [*(["-p", hop_port] if hop_port else []), "-W", f"[{address}]:{port}", "--", name]
        return shlex.join(words)
    if command and command != "none":
        return command
    return None


def _split_port(hop: str) -> tuple[str, str]:
    """``user@host:port`` with the port apart; an IPv6 address carries one only in brackets."""
    user, at, host = hop.rpartition("@")
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        return user + at + host, rest.removeprefix(":")
    if host.count(":") == 1:
        host, _, port = host.partition(":")
        return user + at + host, port
    return user + at + host, ""
