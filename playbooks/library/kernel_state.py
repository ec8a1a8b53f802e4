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
"""

import os

from ansible.module_utils.basic import AnsibleModule


def has_feature(path):
    """``/proc/filesystems:overlay`` asks for a word in a file, ``/proc/sys/net/bridge`` for a path."""
    if ":" not in path:
        return os.path.exists(path)
    name, word = path.split(":", 1)
    with open(name, encoding="utf-8") as handle:
        return word in handle.read().split()


def modprobe(module, name):
    command = module.get_bin_path("modprobe")
    return module.run_command([command, name]) if command else (127, "", "there is no modprobe on this host")


def load_features(module, changes):
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
        changes.append(f"module {name} loaded")
    return loaded


def set_sysctls(module, loaded, changes):
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
        if not module.check_mode:
            try:
                with open(path, "w", encoding="utf-8") as handle:
                    handle.write(wanted)
            except OSError as error:
                module.fail_json(msg=f"sysctl {name} cannot be set to {wanted}: {error}")


def switch_swap_off(module, changes):
    with open("/proc/swaps", encoding="utf-8") as handle:
        devices = [line.split()[0].replace("\\040", " ") for line in handle.read().splitlines()[1:]]
    for device in devices:
        changes.append(f"swap on {device} off")
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
    changes = []
    loaded = load_features(module, changes)
    set_sysctls(module, loaded, changes)
    if not module.params["swap"]:
        switch_swap_off(module, changes)
    diff = {"before": "", "after": "".join(change + "\n" for change in changes)}
    module.exit_json(changed=bool(changes), changes=changes, diff=diff)


if __name__ == "__main__":
    main()
