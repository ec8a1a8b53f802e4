#!/usr/bin/python
"""Ansible module: what ``install_artifact`` once unpacked is gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remove_artifacts
short_description: The files of a release that is no longer wanted are gone
description:
  - Removes the files in the receipts that M(install_artifact) left, and the receipts. Two versions of a shim
    on one PATH are worse than none.
  - A file that somebody replaced since is left alone, and what was there before comes back.
options:
  receipts:
    description: Names of the receipts.
    type: list
    elements: str
    required: true
author: nodestrap
"""

EXAMPLES = r"""
- name: Releases of another source
  remove_artifacts:
    receipts: [containerd-release]
"""

RETURN = r"""
paths:
  description: Paths that were, or in check mode would be, removed.
  type: list
  elements: str
  returned: always
effects:
  description: The same by kind, name and action.
  type: list
  elements: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import (
    effect,
    installed,
    is_theirs,
    read_receipt,
    receipt_path,
    remove_receipt,
    take_away,
)


def main():
    module = AnsibleModule(
        argument_spec={"receipts": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    paths, effects = [], []
    for name in module.params["receipts"]:
        receipt = read_receipt(name)
        for path, before in installed(receipt):
            paths.append(path)
            effects.append(effect("file", path, "restore" if is_theirs(before) else "remove"))
        if os.path.exists(receipt_path(name)):
            paths.append(receipt_path(name))
            effects.append(effect("file", receipt_path(name), "remove"))
        if not module.check_mode:
            take_away(receipt)
            remove_receipt(name)
    diff = {"before": "".join(path + "\n" for path in paths), "after": ""}
    module.exit_json(changed=bool(paths), paths=paths, effects=effects, diff=diff)


if __name__ == "__main__":
    main()
