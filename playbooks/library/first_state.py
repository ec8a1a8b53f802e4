#!/usr/bin/python
"""Ansible module: what a host was like before nodestrap came is written down, once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: first_state
short_description: What a host was like before anything was changed is known
description:
  - Notes which of O(paths) exist and in which state O(units) are, in a receipt that later runs leave alone.
    Packages and services make directories and start units before a role gets to them; without this note a
    reset could not tell theirs from the user's.
  - A path or unit that a later release adds to the lists is taken for the user's when it is there.
options:
  paths:
    description: Paths that packages or services may make.
    type: list
    elements: path
    default: []
  units:
    description: Units that packages may bring, enable or start.
    type: list
    elements: str
    default: []
author: nodestrap
"""

EXAMPLES = r"""
- name: What the host was like
  first_state:
    paths: [/var/lib/containerd]
    units: [containerd.service]
"""

RETURN = r"""
effects:
  description: The receipt, when it is new.
  type: list
  elements: dict
  returned: always
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import effect, first_state, receipt_path, write_receipt

PROPERTIES = "UnitFileState,ActiveState"


def path_state(path):
    """``absent``, ``empty`` (a directory that a service fills, a mount point perhaps) or ``present``; and the
    mode.
    """
    if not os.path.lexists(path):
        return {"state": "absent", "mode": None}
    empty = os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path)
    mode = f"{stat.S_IMODE(os.lstat(path).st_mode):04o}"
    return {"state": "empty" if empty else "present", "mode": mode}


def unit_states(module, names):
    """UnitFileState and ActiveState by unit; both empty without systemd."""
    if not names or not os.path.isdir("/run/systemd/system"):
        return {name: {"UnitFileState": "", "ActiveState": ""} for name in names}
    code, out, err = module.run_command(["systemctl", "show", "--property", PROPERTIES, "--", *names])
    if code != 0:
        module.fail_json(msg=f"systemctl show failed: {(err or out).strip()}")
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
    return dict(zip(names, blocks))


def main():
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    known = first_state()
    paths = {path: path_state(path) for path in module.params["paths"]}
    paths.update(known.get("paths", {}))
    new = [name for name in module.params["units"] if name not in known.get("units", {})]
    units = {**unit_states(module, new), **known.get("units", {})}
    changed = paths != known.get("paths") or units != known.get("units")
    effects = [] if known else [effect("file", receipt_path("first_state"), "create")]
    if changed and not module.check_mode:
        write_receipt("first_state", {"version": 1, "paths": paths, "units": units})
    diff = {"before": "", "after": "".join(each["name"] + "\n" for each in effects)}
    module.exit_json(changed=changed, effects=effects, diff=diff)


if __name__ == "__main__":
    main()
