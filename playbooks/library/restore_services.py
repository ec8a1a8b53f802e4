#!/usr/bin/python
"""Ansible module: units that ran before nodestrap came run again as they did."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_services
short_description: Units that ran before nodestrap came run as they did
description:
  - Has systemd read its configuration anew, and brings each unit that is still there back into the state
    that it was in before nodestrap came. One that ran is restarted, for it runs with our configuration.
options: {}
author: nodestrap
"""

EXAMPLES = r"""
- name: Units that ran before nodestrap came run as they did
  restore_services: {}
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


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    first, managed = first_state().get("units", {}), read_receipt("units").get("units", [])
    ran = [name for name in managed if first.get(name, {}).get("ActiveState") == "active"]
    enabled = [name for name in managed if first.get(name, {}).get("UnitFileState") in ENABLED]
    effects = [effect("unit", name, "restart") for name in ran]
    if not module.check_mode and os.path.isdir("/run/systemd/system"):
        module.run_command(["systemctl", "daemon-reload"])
        module.run_command(
            ["systemctl", "reset-failed", *managed]
        )  # of units that are gone; fails for others
        for verb, names in (("enable", enabled), ("restart", ran)):
            code, out, err = module.run_command(["systemctl", verb, *names]) if names else (0, "", "")
            if code != 0:
                reason = (err or out).strip()
                effects += [
                    effect("remaining", name, verb, f"it does not {verb}: {reason}") for name in names
                ]
    module.exit_json(changed=bool(effects), effects=effects)


if __name__ == "__main__":
    main()
