"""Chains of the packet filter that belong to Kubernetes, CNI plugins and nodestrap: removed one by one, with
the rules that lead to them. Nobody else's rule is touched, and no policy: who administers a host over the
network through a rule of their own keeps it.
"""

from __future__ import annotations

import shlex

from ansible.module_utils.nodestrap_receipt import effect

TOOLS = ("iptables", "ip6tables")


def ours(listing, prefixes):
    """``(rules that lead to our chains, our chains)`` by table, of what ``iptables-save`` prints."""
    found, table = {}, None
    for line in listing.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":") and line[1:].startswith(tuple(prefixes)):
            found.setdefault(table, ([], []))[1].append(line[1:].split()[0])
        elif line.startswith("-A "):
            words = shlex.split(line)
            target = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-j", "-g")), "")
            if target.startswith(tuple(prefixes)) and not words[1].startswith(tuple(prefixes)):
                found.setdefault(table, ([], []))[0].append(words[1:])
    return found


def remove_chains(module, prefixes):
    """Remove them with each tool that is there; returns the effects."""
    effects = []
    for tool in TOOLS if prefixes else ():
        command = module.get_bin_path(tool)
        code, listing, _err = module.run_command([command + "-save"]) if command else (1, "", "")
        for table, (rules, chains) in (ours(listing, prefixes) if code == 0 else {}).items():
            effects += [effect("chain", f"{tool} {table} {chain}", "remove") for chain in chains]
            if module.check_mode:
                continue
            for words in rules:
                module.run_command([command, "-w", "-t", table, "-D", *words])
            for option in ("-F", "-X"):  # of our own chains alone, which refer to each other
                for chain in chains:
                    module.run_command([command, "-w", "-t", table, option, chain])
        if command and not module.check_mode:
            effects += [
                effect(
                    "remaining", f"{tool} table {table}", "empty", "no rule is in it; it goes with a reboot"
                )
                for table in empty_tables(module.run_command([command + "-save"])[1])
            ]
    return effects


def empty_tables(listing):
    """Tables that only exist because somebody once looked at them, or had rules in them. ``filter`` is
    everybody's.
    """
    found, table = [], None
    for line in listing.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
            found.append(table)
        elif line.startswith("-A ") and table in found:
            found.remove(table)
    return [table for table in found if table != "filter"]
