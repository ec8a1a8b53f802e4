#!/usr/bin/python
"""Ansible module: nodestrap's own records on this host are gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remove_records
short_description: Nodestrap's own records are gone
description:
  - Removes the receipts, once everything they tell of is undone, and the directory around them. Originals of
    files that somebody has edited since are kept.
options: {}
author: nodestrap
"""

EXAMPLES = r"""
- name: Nodestrap's own records are gone
  remove_records: {}
"""

RETURN = r"""
effects:
  description: What was, or in check mode would be, done; of kind V(remaining), what stays and why.
  type: list
  elements: dict
  returned: always
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import ORIGINALS, RECEIPTS, effect


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    root = os.path.dirname(RECEIPTS)
    there = os.path.isdir(root)
    effects = [effect("tree", root, "remove")] if there else []
    if there and not module.check_mode:
        for entry in os.scandir(root):
            if entry.is_dir() and entry.path != ORIGINALS:
                shutil.rmtree(entry.path)
            elif not entry.is_dir():
                os.unlink(entry.path)
        if os.path.isdir(ORIGINALS) and os.listdir(ORIGINALS):
            effects = [effect("remaining", ORIGINALS, "kept", "originals of files that were edited since")]
        else:
            shutil.rmtree(root)
    module.exit_json(changed=there, effects=effects)


if __name__ == "__main__":
    main()
