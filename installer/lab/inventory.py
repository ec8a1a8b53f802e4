"""The Ansible inventory of a lab: hosts.yml and group_vars/all.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from installer.errors import UsageError
from installer.lab.standard_images import MIRRORED

if TYPE_CHECKING:
    from pathlib import Path

    from installer.lab.state import Lab

_HEADER = "# Written by `nodestrap lab up` for lab {name}; `nodestrap lab down` removes it.\n"
_MARK = "# Written by `nodestrap lab up`"


def write(lab: Lab, registry_url: str) -> None:
    """Write the inventory; `registry_url` is the lab's registry as its hosts reach it.

    Raises UsageError rather than overwrite a file that a person wrote.
    """
    hosts = {host.name: _host(lab, index) for index, host in enumerate(lab.hosts)}
    first, *rest = lab.hosts
    groups = {
        "control_plane": {"hosts": {first.name: hosts[first.name]}},
        "workers": {"hosts": {host.name: hosts[host.name] for host in rest}},
    }
    _write(lab, lab.inventory / "hosts.yml", {"nodes": {"children": groups}})
    variables = {
        "nodestrap_known_hosts_file": str(lab.known_hosts),
        "containerd_registry_mirrors": {upstream: [registry_url] for upstream in MIRRORED},
    }
    _write(lab, lab.inventory / "group_vars" / "all.yml", variables)


def remove(inventory: Path) -> None:
    """Remove what `write` wrote below `inventory`, and the directories that are empty then."""
    for path in (inventory / "group_vars" / "all.yml", inventory / "hosts.yml"):
        if path.is_file() and path.read_text().startswith(_MARK):
            path.unlink()
    for directory in (inventory / "group_vars", inventory):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _host(lab: Lab, index: int) -> dict[str, Any]:
    host = lab.hosts[index]
    return {
        "ansible_host": host.address,
        **({"ansible_port": host.port} if host.port != 22 else {}),
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(lab.private_key),
    }


def _write(lab: Lab, path: Path, content: dict[str, Any]) -> None:
    text = _HEADER.format(name=lab.name) + yaml.safe_dump(content, sort_keys=False)
    if path.exists():
        present = path.read_text()
        if present == text:
            return  # untouched files keep their times: whoever caches by them need not read again
        if not present.startswith(_MARK):
            raise UsageError(
                f"{path} was not written by the lab.", fix="Move it away, or give the lab a --name."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
