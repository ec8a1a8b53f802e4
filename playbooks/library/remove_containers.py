#!/usr/bin/python
"""Ansible module: no container, mount or interface of the runtime is left."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remove_containers
short_description: No container, mount or interface of the runtime is left
description:
  - Ends the containers that removing pods through the CRI has not ended, unmounts what is mounted below the
    runtime's directories, and removes its network namespaces and bridges. For a runtime that is broken.
  - Nothing is done to containers and mounts where containerd ran, or its directory was in use, before
    nodestrap came.
options:
  interfaces:
    description: Bridges that nodestrap's networks make.
    type: list
    elements: str
    default: []
  route_protocol:
    description: The number by which routes are known that the routed pod network made.
    type: int
  packet_filter:
    description: Prefixes of the packet filter's chains that Kubernetes, CNI plugins and nodestrap make.
    type: list
    elements: str
    default: []
author: nodestrap
"""

EXAMPLES = r"""
- name: No container, mount or interface of the runtime is left
  remove_containers:
    interfaces: [nodestrap0]
    packet_filter: [KUBE-, CNI-]
"""

RETURN = r"""
effects:
  description: What was, or in check mode would be, done; of kind V(remaining), what stays and why.
  type: list
  elements: dict
  returned: always
"""

import contextlib
import os
import signal
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_packet_filter import remove_chains
from ansible.module_utils.nodestrap_receipt import effect, first_state

NETNS = "/run/netns"


def shims():
    """Pids of the shims in the CRI's namespace, each before its containers' processes."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as handle:
                    words = handle.read().decode(errors="replace").split("\0")
            except OSError:
                continue  # it ended meanwhile
            if os.path.basename(words[0]).startswith("containerd-shim") and "k8s.io" in words:
                found.append(int(entry))
    return found


def family(pid):
    """The process and all below it."""
    found = [pid]
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children") as handle:
                children = [int(child) for child in handle.read().split()]
        except OSError:
            continue
        for child in children:
            found += family(child)
    return found


def end(pids):
    """Kill them and wait until they are gone, 10 s at most."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}/exe") for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)


def mounts_below(roots):
    """Mount points below the directories, the innermost first; a directory that is one itself stays."""
    found = []
    with open("/proc/self/mountinfo") as handle:
        for line in handle:
            point = line.split()[4].replace("\\040", " ")
            if any(point.startswith(root + "/") for root in roots):
                found.append(point)
    return found[::-1]


def remove_routes(module, protocol):
    """Remove the routes of this protocol, of both IP versions; returns the effects."""
    effects = []
    for version in ("-4", "-6") if protocol is not None else ():
        code, out, _err = module.run_command(["ip", version, "route", "show", "proto", str(protocol)])
        routes = [line.split()[0] for line in out.splitlines() if line.strip()] if code == 0 else []
        effects += [effect("route", route, "remove") for route in routes]
        if routes and not module.check_mode:
            module.run_command(["ip", version, "route", "flush", "proto", str(protocol)])
    return effects


def main():
    text_list = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "interfaces": text_list,
            "packet_filter": text_list,
            "route_protocol": {"type": "int"},
        },
        supports_check_mode=True,
    )
    first, effects = first_state(), []
    if not first:
        module.exit_json(changed=False, effects=[])
    roots = [path for path, was in first["paths"].items() if was["state"] != "present"]
    theirs = first.get("units", {}).get("containerd.service", {}).get("ActiveState") == "active"
    left = [] if theirs else shims()
    namespaces = (
        [name for name in os.listdir(NETNS) if name.startswith("pycri-")] if os.path.isdir(NETNS) else []
    )
    # asked, not looked up in /sys, which in a container may show the machine's own
    asked = [
        (name, module.run_command(["ip", "link", "show", name])[0]) for name in module.params["interfaces"]
    ]
    bridges = [name for name, code in asked if code == 0]
    if left:
        effects.append(effect("pod", "containers in namespace k8s.io", "remove", f"{len(left)} shims"))
    effects += [effect("mount", point, "remove") for point in mounts_below(roots)]
    effects += [effect("netns", name, "remove") for name in namespaces]
    effects += [effect("interface", name, "remove") for name in bridges]
    if not module.check_mode:
        end([pid for shim in left for pid in family(shim)])
        for point in [*mounts_below(roots), *(os.path.join(NETNS, name) for name in namespaces)]:
            module.run_command(["umount", "-l", point])
        for name in namespaces:
            os.unlink(os.path.join(NETNS, name))
        for name in bridges:
            module.run_command(["ip", "link", "delete", name])
    effects += remove_routes(module, module.params["route_protocol"])
    effects += remove_chains(module, module.params["packet_filter"])
    module.exit_json(changed=any(each["kind"] != "remaining" for each in effects), effects=effects)


if __name__ == "__main__":
    main()
