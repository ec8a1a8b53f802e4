"""How to reach a host, from the same inventory variables that Ansible's ssh connection reads."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from installer.errors import InventoryError


@dataclass(frozen=True)
class ConnectionSettings:
    """None means: as OpenSSH's own configuration says."""

    address: str
    port: int | None = None
    user: str | None = None
    private_key_file: Path | None = None
    ssh_args: tuple[
        str, ...
    ] = ()  # ansible_ssh_common_args and ansible_ssh_extra_args, e.g. -o ProxyJump=bastion
    become: bool = True  # sudo, unless the login is root's already
    python: str | None = None
    password: str | None = field(default=None, repr=False)
    become_password: str | None = field(default=None, repr=False)


def connection_settings(host: str, variables: Mapping[str, Any]) -> ConnectionSettings:
    """Settings of one host from its variables; InventoryError for what nodestrap cannot honour."""
    method = variables.get("ansible_connection", "ssh")
    if method not in ("ssh", "smart"):
        raise InventoryError(
            f"ansible_connection is {method!r}, but nodestrap reaches hosts over ssh only",
            host=host,
            fix="remove it; to use this very machine, run sshd here and put ansible_host=127.0.0.1",
        )
    become_method = variables.get("ansible_become_method", "sudo")
    if become_method not in ("sudo", "ansible.builtin.sudo"):
        raise InventoryError(f"ansible_become_method is {become_method!r}; nodestrap knows sudo", host=host)
    become_user = variables.get("ansible_become_user", "root")
    if become_user != "root":
        raise InventoryError(f"ansible_become_user is {become_user!r}; a node is set up by root", host=host)
    key = _first(variables, "ansible_ssh_private_key_file", "ansible_private_key_file")
    return ConnectionSettings(
        address=str(_first(variables, "ansible_host", "ansible_ssh_host") or host),
        port=_port(host, _first(variables, "ansible_port", "ansible_ssh_port")),
        user=_text(_first(variables, "ansible_user", "ansible_ssh_user")),
        private_key_file=Path(str(key)).expanduser() if key else None,
        ssh_args=tuple(
            argument
            for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args")
            for argument in shlex.split(str(variables.get(name) or ""))
        ),
        become=str(variables.get("ansible_become", True)).lower() not in ("false", "no", "0", "off"),
        python=_python(variables.get("ansible_python_interpreter")),
        password=_text(_first(variables, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password")),
        become_password=_text(
            _first(
                variables,
                "ansible_become_password",
                "ansible_become_pass",
                "ansible_sudo_pass",
                "ansible_sudo_password",
            )
        ),
    )


def _first(variables: Mapping[str, Any], *names: str) -> Any:
    return next((variables[name] for name in names if variables.get(name) not in (None, "")), None)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _port(host: str, value: Any) -> int | None:
    if value is None:
        return None
    try:
        port = int(value)
    except (TypeError, ValueError, OverflowError):
        port = 0
    if not 0 < port < 65536:
        raise InventoryError(f"ansible_port is {value!r}, not a port number (1 to 65535)", host=host)
    return port


def _python(value: Any) -> str | None:
    """An interpreter's path; Ansible's words for "look for one" (auto, auto_silent, …) mean none."""
    return None if value is None or str(value).startswith("auto") else str(value)
