#!/usr/bin/python
"""Ansible module: the services that nodestrap runs on this host are stopped."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stop_services
short_description: The services that nodestrap runs are stopped
description:
  - Stops and disables each unit in the receipt that was not running, or not enabled, before nodestrap came.
    One that was is left running for M(restore_services), once it has its own files back.
  - O(last) are stopped after all others.
options:
  last:
    description: Units that the others need, in the order in which to stop them.
    type: list
    elements: str
    default: []
author: nodestrap
"""

EXAMPLES = r"""
- name: The services that nodestrap runs are stopped
  stop_services:
    last: [pycri.service, pycri-io.service, containerd.service]
"""

RETURN = r"""
effects:
  description: What was, or in check mode would be, done; of kind V(remaining), what stays and why.
  type: list
  elements: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import effect, first_state, read_receipt

ENABLED = ("enabled", "enabled-runtime")
RUNNING = ("active", "activating", "reloading", "deactivating")
BARE = {"UnitFileState": "", "ActiveState": "inactive"}


def show(module, names):
    query = ["systemctl", "show", "--property", "UnitFileState,ActiveState", "--", *names]
    code, out, err = module.run_command(query)
    if code != 0:
        module.fail_json(msg=f"systemctl show failed: {(err or out).strip()}")
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
    return dict(zip(names, blocks))


def systemctl(module, *words):
    code, out, err = module.run_command(["systemctl", *words])
    if code != 0:
        module.fail_json(msg="systemctl {}: {}".format(" ".join(words), (err or out).strip()))


def main():
    module = AnsibleModule(
        argument_spec={"last": {"type": "list", "elements": "str", "default": []}},
        supports_check_mode=True,
    )
    last, effects = module.params["last"], []
    managed = read_receipt("units").get("units", [])
    names = [name for name in managed if name not in last] + [name for name in last if name in managed]
    if not names or not os.path.isdir("/run/systemd/system"):
        module.exit_json(changed=False, effects=[])
    now, first = show(module, names), first_state().get("units", {})
    for name in names:
        before = first.get(name, BARE)
        if now[name]["ActiveState"] in RUNNING and before["ActiveState"] not in RUNNING:
            effects.append(effect("unit", name, "stop"))
            if not module.check_mode:
                systemctl(module, "stop", name)
        if now[name]["UnitFileState"] in ENABLED and before["UnitFileState"] not in ENABLED:
            effects.append(effect("unit", name, "disable"))
            if not module.check_mode:
                systemctl(module, "disable", "--quiet", name)
    diff = {"before": "".join(each["name"] + "\n" for each in effects), "after": ""}
    module.exit_json(changed=bool(effects), effects=effects, diff=diff)


if __name__ == "__main__":
    main()
