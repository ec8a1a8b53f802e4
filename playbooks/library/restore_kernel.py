#!/usr/bin/python
"""Ansible module: the running kernel is as it was before nodestrap came."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_kernel
short_description: The running kernel is as it was
description:
  - Sets sysctls back, unloads modules that were loaded and switches swap on again, by the receipt that
    M(kernel_state) left. A value that somebody has changed since, or a module in use, is left and reported.
options: {}
author: nodestrap
"""

EXAMPLES = r"""
- name: The running kernel is as it was
  restore_kernel: {}
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
from ansible.module_utils.nodestrap_receipt import effect, read_receipt, remove_receipt


def set_back(module, name, before, ours):
    """Set one sysctl back; returns the effects."""
    path = "/proc/sys/" + name.replace(".", "/")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as handle:
        now = " ".join(handle.read().split())
    if now != ours:
        return [effect("remaining", f"sysctl {name}", "changed", f"it is {now}, which nodestrap did not set")]
    if not module.check_mode:
        try:
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(before)
        except OSError as error:
            return [effect("remaining", f"sysctl {name}", "kept", f"it cannot be set to {before}: {error}")]
    return [effect("kernel", f"sysctl {name}", "restore", f"{ours} -> {before}")]


def attempt(module, what, action, argv):
    """Run a command that may fail; returns the effects."""
    if not module.check_mode:
        code, out, err = module.run_command(argv)
        if code != 0:
            return [effect("remaining", what, "kept", (err or out).strip() or f"{argv[0]} failed")]
    return [effect("kernel", what, action)]


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    receipt, effects = read_receipt("kernel"), []
    for name, (before, ours) in sorted(receipt.get("sysctls", {}).items()):
        effects += set_back(module, name, before, ours)
    for name in reversed(receipt.get("modules", [])):
        effects += attempt(module, f"module {name}", "unload", ["modprobe", "-r", name])
    for device in receipt.get("swaps", []):
        effects += attempt(module, f"swap {device}", "on", ["swapon", device])
    if not module.check_mode:
        remove_receipt("kernel")
    module.exit_json(changed=any(each["kind"] == "kernel" for each in effects), effects=effects)


if __name__ == "__main__":
    main()
