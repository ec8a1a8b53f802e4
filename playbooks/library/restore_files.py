#!/usr/bin/python
"""Ansible module: files, links and directories are as they were before nodestrap came."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_files
short_description: Files are as they were before nodestrap came
description:
  - Takes away what M(managed_paths) and M(install_artifact) put on the host, by their receipts, and puts back
    what was there before. A receipt goes when what it tells of is undone, so a reset that is cut short can go
    on.
  - What somebody has edited since is left alone and reported.
options: {}
author: nodestrap
"""

EXAMPLES = r"""
- name: Files are as they were before nodestrap came
  restore_files: {}
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
from ansible.module_utils.nodestrap_receipt import (
    RECEIPTS,
    effect,
    installed,
    is_ours,
    is_theirs,
    put_back,
    read_receipt,
    remove_receipt,
    take_away,
)

# These tell of something else, and are other modules' to undo.
OTHERS = ("first_state", "units", "packages", "kernel")


def names():
    """Receipts of files, roles' own first: their links and units lead into releases."""
    found = [name[:-5] for name in sorted(os.listdir(RECEIPTS)) if name.endswith(".json")]
    return sorted(
        (name for name in found if name not in OTHERS), key=lambda name: "files" in read_receipt(name)
    )


def managed(paths):
    """``(path, entry)`` of what is to be undone, the deepest first, and what stays."""
    for path in sorted(paths, reverse=True):
        entry = {"original": None, **paths[path]}
        gone = entry["kind"] != "directory" and not os.path.lexists(path)
        if is_ours(path, entry) or (gone and is_theirs(entry)):
            yield path, entry, None
        elif entry["kind"] == "file" and os.path.lexists(path):
            if entry["created"]:
                yield path, entry, "it was edited since nodestrap wrote it"
            elif entry["original"] and os.path.exists(entry["original"]):
                reason = (
                    f"it was edited since nodestrap wrote it; what was there before is in {entry['original']}"
                )
                yield path, entry, reason


def take_files(module, receipt):
    """Undo a receipt's files, links and releases; returns the effects."""
    effects = take_paths(module, receipt.get("paths", {}), directories=False)
    if receipt.get("tree"):
        effects.append(effect("tree", receipt["dest"], "remove"))
    else:
        effects += [
            effect("file", path, "restore" if is_theirs(before) else "remove")
            for path, before in installed(receipt)
        ]
    if not module.check_mode:
        take_away(receipt)
    return effects


def take_paths(module, paths, directories):
    """Undo the directories, or all else, among a receipt's paths; returns the effects."""
    effects = []
    wanted = {path: entry for path, entry in paths.items() if (entry["kind"] == "directory") == directories}
    for path, entry, why_not in managed(wanted):
        if why_not:
            effects.append(effect("remaining", path, "edited", why_not))
            continue
        effects.append(effect(entry["kind"], path, "restore" if is_theirs(entry) else "remove"))
        if not module.check_mode:
            put_back(path, entry)
    return effects


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    effects = []
    receipts = {name: read_receipt(name) for name in (names() if os.path.isdir(RECEIPTS) else ())}
    for receipt in receipts.values():
        effects += take_files(module, receipt)
    # One role's directory may hold another one's files: directories come last, the innermost first.
    everything = {}
    for receipt in receipts.values():
        for path, entry in receipt.get("paths", {}).items():
            if path not in everything or entry["created"]:  # who made it, not who found it made
                everything[path] = entry
    effects += take_paths(module, everything, directories=True)
    for name in receipts if not module.check_mode else ():
        remove_receipt(name)
    module.exit_json(changed=bool(effects), effects=effects)


if __name__ == "__main__":
    main()
