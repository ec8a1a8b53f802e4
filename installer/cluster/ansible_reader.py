"""Reads an inventory with Ansible's own code, in a process of its own, and prints it as JSON.

``python -m installer.cluster.ansible_reader`` takes a request on stdin (``sources``, ``limit``,
``vault_password_files``) and answers on stdout; ``inventory.py`` is its only caller. A process of its own
because Ansible reads its configuration when it is imported, keeps it in globals and prints as it likes; and
because the answer may hold decrypted secrets, which then live in a pipe and nowhere else.

Values are templated here (``ansible_host: "{{ ip }}"``). One that needs facts of a host cannot be: it is
answered as ``{"unresolved": reason}`` and the reader of that variable decides whether it matters.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Answer one request. A failure that Ansible explains is answered as ``{"error": reason}``, with code
    2."""
    request = json.load(sys.stdin)
    answer_stream, sys.stdout = sys.stdout, sys.stderr  # whatever Ansible prints, the answer stays JSON
    from ansible.errors import AnsibleError

    try:
        answer = _read(request["sources"], request["limit"], request["vault_password_files"])
    except AnsibleError as error:
        json.dump({"error": " ".join(str(error).split())}, answer_stream)
        sys.exit(2)
    json.dump(answer, answer_stream)


def _read(sources: list[str], limit: str | None, vault_password_files: list[str]) -> dict[str, Any]:
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader
    from ansible.vars.manager import VariableManager

    init_plugin_loader()
    loader = DataLoader()
    loader.set_vault_secrets(_vault_secrets(loader, vault_password_files))
    inventory = InventoryManager(loader=loader, sources=sources)
    variables = VariableManager(loader=loader, inventory=inventory)
    selected = {host.name for host in inventory.get_hosts("all")}
    if limit is not None:
        inventory.subset(limit)
        selected = {host.name for host in inventory.get_hosts("all")}
        inventory.subset(None)
    return {
        "groups": {
            name: [host.name for host in group.get_hosts()] for name, group in inventory.groups.items()
        },
        "hosts": {
            host.name: {
                "selected": host.name in selected,
                "groups": [group.name for group in host.get_groups()],
                "variables": _host_variables(loader, variables, host),
            }
            for host in inventory.get_hosts("all")
        },
    }


def _vault_secrets(loader: Any, vault_password_files: list[str]) -> list[Any]:
    from ansible import constants
    from ansible.cli import CLI

    return list(
        CLI.setup_vault_secrets(
            loader,
            vault_ids=list(constants.DEFAULT_VAULT_IDENTITY_LIST),
            vault_password_files=vault_password_files,
            ask_vault_pass=False,
            auto_prompt=False,
        )
    )


def _host_variables(loader: Any, manager: Any, host: Any) -> dict[str, Any]:
    from ansible import constants
    from ansible.template import Templar

    everything = manager.get_vars(host=host, include_hostvars=False)
    templar = Templar(loader=loader, variables=everything)
    magic = {*constants.INTERNAL_STATIC_VARS, "ansible_facts", "environment", "omit"}
    return {str(name): _resolve(templar, value) for name, value in everything.items() if name not in magic}


def _resolve(templar: Any, value: Any) -> dict[str, Any]:
    from ansible.errors import AnsibleError

    try:
        return {"value": _plain(templar.template(value))}
    except AnsibleError as error:
        return {"unresolved": " ".join(str(error).split())}


def _plain(value: Any) -> Any:
    """Ansible's tagged, lazy and encrypted types, as what they stand for."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, int | float):
        return value
    return str(value)


if __name__ == "__main__":
    main()
