#!/usr/bin/python
"""Ansible module: kernel modules, sysctls and swap are, now, as they are to be after every boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_state
short_description: Kernel features, sysctls and swap as wanted, in the running kernel
description:
  - Changes the running kernel only. What makes the same hold after a boot are files in modules-load.d and
    sysctl.d and a masked swap.target, which are the caller's.
  - A feature that is there already, built in or loaded by the machine around a container, needs no module.
  - A receipt keeps the values that were there before, for a reset.
options:
  features:
    description: Kernel module to load, by the path that shows that its feature is there.
    type: dict
    default: {}
  sysctls:
    description: Values by sysctl name. One whose file does not exist fails, unless it is also in O(optional).
    type: dict
    default: {}
  optional:
    description: Names from O(features) and O(sysctls) that this kernel may lack.
    type: list
    elements: str
    default: []
  swap:
    description: V(false) switches off what is in use. V(true) leaves it alone.
    type: bool
    default: true
author: nodestrap
"""

EXAMPLES = r"""
- name: The running kernel
  kernel_state:
    features: {br_netfilter: /proc/sys/net/bridge}
    sysctls: {net.ipv4.ip_forward: 1}
    swap: false
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, changed.
  type: list
  elements: str
  returned: always
effects:
  description: The same by name and action.
  type: list
  elements: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import effect, read_receipt, receipt_path, write_receipt


def has_feature(path):
    """``/proc/filesystems:overlay`` asks for a word in a file, ``/proc/sys/net/bridge`` for a path."""
    if ":" not in path:
        return os.path.exists(path)
    name, word = path.split(":", 1)
    with open(name, encoding="utf-8") as handle:
        return word in handle.read().split()


class Before:
    """The receipt, written at each change; the first value of each name counts."""

    def __init__(self, module):
        self.module = module
        self.content = {"version": 1, "modules": [], "sysctls": {}, "swaps": [], **read_receipt("kernel")}
        self.effects = []
        self.known = os.path.exists(receipt_path("kernel"))

    def note_module(self, name):
        self.effects.append(effect("kernel", f"module {name}", "load"))
        if name not in self.content["modules"]:
            self.content["modules"].append(name)
        self.save()

    def note_sysctl(self, name, actual, wanted):
        self.effects.append(effect("kernel", f"sysctl {name}", "set", f"{actual} -> {wanted}"))
        before = self.content["sysctls"].get(name, [actual])[0]
        self.content["sysctls"][name] = [before, wanted]
        self.save()

    def note_swap(self, device):
        self.effects.append(effect("kernel", f"swap {device}", "off"))
        if device not in self.content["swaps"]:
            self.content["swaps"].append(device)
        self.save()

    def save(self):
        if not self.module.check_mode:
            write_receipt("kernel", self.content)


def modprobe(module, name):
    command = module.get_bin_path("modprobe")
    return module.run_command([command, name]) if command else (127, "", "there is no modprobe on this host")


def load_features(module, before, changes):
    loaded = set()
    for name, sign in module.params["features"].items():
        if has_feature(sign):
            continue
        if not module.check_mode:
            code, out, err = modprobe(module, name)
            if code != 0 or not has_feature(sign):
                if name in module.params["optional"]:
                    continue
                module.fail_json(
                    msg=f"the kernel has no {name} ({sign} is missing) and `modprobe {name}` did not bring "
                    f"it: {(err or out).strip()}. In a container, load it on the machine around it."
                )
        loaded.add(name)
        before.note_module(name)
        changes.append(f"module {name} loaded")
    return loaded


def set_sysctls(module, before, loaded, changes):
    for name, value in module.params["sysctls"].items():
        path = "/proc/sys/" + name.replace(".", "/")
        wanted = str(value)
        try:
            with open(path, encoding="utf-8") as handle:
                actual = " ".join(handle.read().split())
        except FileNotFoundError:
            if name in module.params["optional"] or (module.check_mode and loaded):
                continue  # in check mode the module that would bring it is not loaded
            module.fail_json(msg=f"this kernel has no sysctl {name} ({path})")
        if actual == wanted:
            continue
        changes.append(f"sysctl {name}: {actual} -> {wanted}")
        before.note_sysctl(name, actual, wanted)
        if not module.check_mode:
            try:
                with open(path, "w", encoding="utf-8") as handle:
                    handle.write(wanted)
            except OSError as error:
                module.fail_json(msg=f"sysctl {name} cannot be set to {wanted}: {error}")


def switch_swap_off(module, before, changes):
    with open("/proc/swaps", encoding="utf-8") as handle:
        devices = [line.split()[0].replace("\\040", " ") for line in handle.read().splitlines()[1:]]
    for device in devices:
        changes.append(f"swap on {device} off")
        before.note_swap(device)
        if not module.check_mode:
            code, _out, err = module.run_command(["swapoff", device])
            if code != 0:
                module.fail_json(
                    msg=f"swap on {device} cannot be switched off: {err.strip()}. "
                    "To leave it on, set os_prepare_swap to keep."
                )


def main():
    module = AnsibleModule(
        argument_spec={
            "features": {"type": "dict", "default": {}},
            "sysctls": {"type": "dict", "default": {}},
            "optional": {"type": "list", "elements": "str", "default": []},
            "swap": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    changes, before = [], Before(module)
    loaded = load_features(module, before, changes)
    set_sysctls(module, before, loaded, changes)
    if not module.params["swap"]:
        switch_swap_off(module, before, changes)
    if changes and not before.known:
        before.effects.append(effect("file", receipt_path("kernel"), "create"))
    diff = {"before": "", "after": "".join(change + "\n" for change in changes)}
    module.exit_json(changed=bool(changes), changes=changes, effects=before.effects, diff=diff)


if __name__ == "__main__":
    main()
