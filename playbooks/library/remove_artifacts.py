#!/usr/bin/python
"""Ansible module: what ``install_artifact`` once unpacked is gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remove_artifacts
short_description: The files of a release that is no longer wanted are gone
description:
  - Removes the files in the receipts that M(install_artifact) left, and the receipts. Two versions of a shim
    on one PATH are worse than none.
  - A file that somebody replaced since is left alone.
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
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import read_receipt, receipt_path, sha256_of


def main():
    module = AnsibleModule(
        argument_spec={"receipts": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    paths = []
    for name in module.params["receipts"]:
        for path, entry in read_receipt(name).get("files", {}).items():
            if sha256_of(path) == entry["sha256"]:
                paths.append(path)
        if os.path.exists(receipt_path(name)):
            paths.append(receipt_path(name))
    if not module.check_mode:
        for path in paths:
            os.unlink(path)
    diff = {"before": "".join(path + "\n" for path in paths), "after": ""}
    module.exit_json(changed=bool(paths), paths=paths, diff=diff)


if __name__ == "__main__":
    main()
