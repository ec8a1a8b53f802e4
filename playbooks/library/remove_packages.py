#!/usr/bin/python
"""Ansible module: packages that came with nodestrap are gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remove_packages
short_description: Packages that came with nodestrap are gone
description:
  - Purges the packages that M(os_packages) installed, dependencies included. One that something else needs by
    now stays and is reported, and so is one that was upgraded or removed: that cannot be taken back.
options:
  lock_timeout:
    description: How many seconds to wait for another package manager.
    type: int
    default: 300
author: nodestrap
"""

EXAMPLES = r"""
- name: Packages that came with nodestrap are gone
  remove_packages: {}
"""

RETURN = r"""
effects:
  description: What was, or in check mode would be, done; of kind V(remaining), what stays and why.
  type: list
  elements: dict
  returned: always
"""

import os
import re
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import effect, read_receipt, remove_receipt

NEEDED = re.compile(r"dependency problems prevent removal of ([^\s:]+)")
STAYS = "something that was installed since needs it"


class Dpkg:
    """Debian, Ubuntu. dpkg itself, not apt: it removes what it is told and nothing else."""

    traces = (
        "records of apt and dpkg",
        "lists in /var/lib/apt, caches in /var/cache/apt and /var/cache/ldconfig, logs in /var/log, and "
        "/var/lib/dpkg/*-old and /var/cache/debconf/*-old, the last state but one of their databases, stay",
    )

    def __init__(self, module):
        self.module = module

    def present(self, names):
        query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *names]
        lines = [line.split() for line in self.module.run_command(query)[1].splitlines()]
        return [line[1] for line in lines if len(line) == 2 and line[0] != "not-installed"]

    def needed(self, names):
        """Those of the packages that others need."""
        code, out, err = self.module.run_command(["dpkg", "--simulate", "--purge", *names])
        return set(NEEDED.findall(out + err)) if code != 0 else set()

    def remove(self, names):
        deadline = time.monotonic() + self.module.params["lock_timeout"]
        while True:
            code, out, err = self.module.run_command(
                ["dpkg", "--purge", *names], environ_update={"DEBIAN_FRONTEND": "noninteractive"}
            )
            if code == 0:
                return None
            if "lock" not in err or time.monotonic() > deadline:
                return (err.strip() or out.strip())[-2000:]
            time.sleep(2)


class Rpm:
    """Fedora, RHEL and its rebuilds."""

    traces = "records of dnf and rpm", "lists in /var/cache/dnf and logs in /var/log stay"

    def __init__(self, module):
        self.module = module

    def present(self, names):
        return [name for name in names if self.module.run_command(["rpm", "-q", name])[0] == 0]

    def needed(self, names):
        code, _out, err = self.module.run_command(["rpm", "-e", "--test", *names])
        found = set()
        for line in err.splitlines() if code != 0 else ():
            if "is needed by" in line:
                provides = ["rpm", "-q", "--whatprovides", "--qf", "%{NAME}\n", line.split()[0]]
                found.update(self.module.run_command(provides)[1].split())
        return found & set(names)

    def remove(self, names):
        code, out, err = self.module.run_command(["rpm", "-e", *names])
        return None if code == 0 else (err.strip() or out.strip())[-2000:]


def removable(packages, names):
    """``(packages that may go, packages that others need)``."""
    going, kept = packages.present(names), []
    while going:
        needed = packages.needed(going)
        if not needed:
            break
        kept += [name for name in going if name in needed]
        going = [name for name in going if name not in needed]
    return going, kept


def main():
    module = AnsibleModule(
        argument_spec={"lock_timeout": {"type": "int", "default": 300}}, supports_check_mode=True
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    receipt = read_receipt("packages")
    names = receipt.get("installed", [])
    if not receipt:
        module.exit_json(changed=False, effects=[])
    packages = Dpkg(module) if os.path.exists("/usr/bin/dpkg") else Rpm(module)
    going, kept = removable(packages, names) if names else ([], [])
    effects = [effect("package", name, "remove") for name in going]
    effects += [effect("remaining", f"package {name}", "needed", STAYS) for name in kept]
    for name, old in receipt.get("upgraded", {}).items():
        effects.append(
            effect("remaining", f"package {name}", "upgraded", f"it was at {old}; it stays upgraded")
        )
    for name in receipt.get("removed", {}):
        effects.append(
            effect("remaining", f"package {name}", "removed", "it had to make room and stays removed")
        )
    effects.append(effect("remaining", packages.traces[0], "fetched", packages.traces[1]))
    if not module.check_mode:
        failure = packages.remove(going) if going else None
        if failure:
            module.fail_json(msg="could not remove {}: {}".format(", ".join(going), failure))
        remove_receipt("packages")
    module.exit_json(changed=bool(going), effects=effects)


if __name__ == "__main__":
    main()
