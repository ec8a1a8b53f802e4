#!/usr/bin/python
"""Ansible module: what the services of nodestrap have written is gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remove_data
short_description: What the services have written is gone
description:
  - Removes the directories that were not there before nodestrap came, with all that is in them, and empties
    those that were empty. What held something before is left as it is and reported.
  - Refuses while something is mounted in one of them: it might be a volume with data.
options:
  when_empty:
    description: Directories in which somebody else may have put something since. They go when they are empty.
    type: list
    elements: path
    default: []
author: nodestrap
"""

EXAMPLES = r"""
- name: What the services have written is gone
  remove_data:
    when_empty: [/etc/containerd]
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
from ansible.module_utils.nodestrap_receipt import effect, first_state


def mounted_below(path):
    with open("/proc/self/mountinfo") as handle:
        points = [line.split()[4] for line in handle]
    return [point for point in points if point.startswith(path + "/")]


def main():
    module = AnsibleModule(
        argument_spec={"when_empty": {"type": "list", "elements": "path", "default": []}},
        supports_check_mode=True,
    )
    effects = []
    for path, was in sorted(first_state().get("paths", {}).items(), reverse=True):
        if not os.path.isdir(path) or os.path.islink(path):
            continue  # files are restore_files' to judge
        if was["state"] == "present":
            if path.startswith("/var/lib/"):
                reason = "it held something before nodestrap came; what it holds now stays"
                effects.append(effect("remaining", path, "kept", reason))
            continue
        if path in module.params["when_empty"] and os.listdir(path) and not module.check_mode:
            reason = "not nodestrap's is in it: {}".format(", ".join(sorted(os.listdir(path))[:5]))
            effects.append(effect("remaining", path, "kept", reason))
            continue
        points = [] if module.check_mode else mounted_below(path)
        if points:
            module.fail_json(msg="{} is still mounted: unmount it, then run again".format(", ".join(points)))
        if was["state"] == "empty" and not os.listdir(path) and mode_of(path) == was["mode"]:
            continue
        effects.append(effect("tree", path, "remove" if was["state"] == "absent" else "empty"))
        if not module.check_mode:
            remove(path, was)
    module.exit_json(changed=any(each["kind"] != "remaining" for each in effects), effects=effects)


def mode_of(path):
    return f"{os.lstat(path).st_mode & 0o7777:04o}"


def remove(path, was):
    if was["state"] == "absent":
        shutil.rmtree(path)
    else:
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
        os.chmod(path, int(was["mode"], 8))


if __name__ == "__main__":
    main()
