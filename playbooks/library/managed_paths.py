#!/usr/bin/python
"""Ansible module: a role's directories, files and links, all of them and nothing older."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_paths
short_description: Directories, whole files and links of one role, in one go
description:
  - Converges all paths of one O(receipt) in one connection, each by writing aside and renaming.
  - The receipt on the host says what was written. A path that is in it and no longer listed is removed, and
    what was at a path before is kept and put back when the path is given up.
  - A deleted or edited path is repaired by the next run.
options:
  receipt:
    description: Name of the receipt, of one calling task alone.
    type: str
    required: true
  directories:
    description: Directories. They are never removed when they hold anything.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      mode: {description: Octal mode., type: str, default: "0755"}
  files:
    description: Whole files.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: The content., type: str, required: true}
      mode: {description: Octal mode., type: str, default: "0644"}
      validate: {description: "Command that must accept the new file, V(%s), first.", type: str}
  links:
    description: Symbolic links.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      target: {description: What it points to., type: str, required: true}
      yields:
        description:
          - Whether it is left out where a command of its name is on the host already, or something else is at
            its path. A link that an earlier run made stays, whatever came to PATH since.
        type: bool
        default: false
  link_all:
    description:
      - Directories of links. Each file in V(source) gets a link of its name in V(path), except where a
        regular file is there already, which is somebody else's.
    type: list
    elements: dict
    default: []
    suboptions:
      source: {description: Directory with the files., type: path, required: true}
      path: {description: Directory for the links., type: path, required: true}
  gone:
    description:
      - Files that another task of the same run writes under this receipt, and this one takes away. For check
        mode on a host where the other one has not written them.
    type: list
    elements: path
    default: []
  others:
    description: Further receipts, each a dictionary of the options above, one after the other.
    type: list
    elements: dict
    default: []
author: nodestrap
"""

EXAMPLES = r"""
- name: Configuration
  managed_paths:
    receipt: containerd
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'config.toml.j2') }}"
        validate: containerd --config %s config dump
"""

RETURN = r"""
paths:
  description: Paths that were, or in check mode would be, written or removed.
  type: list
  elements: str
  returned: always
effects:
  description: The same by kind (V(file), V(directory), V(link), V(links)), name and action.
  type: list
  elements: dict
  returned: always
"""

import hashlib
import os
import shutil
import stat
import tempfile
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import (
    ORIGINALS,
    PART,
    effect,
    existed_first,
    first_state,
    is_ours,
    is_theirs,
    put_back,
    read_receipt,
    receipt_path,
    remove_stale_parts,
    sha256_of,
    write_receipt,
)


class Converger:
    """Compares and writes; remembers what it changed."""

    def __init__(self, module, receipt):
        self.module = module
        self.name = receipt
        self.new = not os.path.exists(receipt_path(self.name))
        self.before = read_receipt(self.name).get("paths", {})
        self.wanted = {}
        self.diffs = []
        self.effects = []

    def declare(self, path, **entry):
        """Note a path; whether it was ours, and what was there before, comes from the old receipt."""
        known = self.before.get(path)
        entry["created"] = known["created"] if known else not existed_first(path)
        entry["original"] = known["original"] if known else None
        for name in ("mode_before", "link_before"):
            if known and name in known:
                entry[name] = known[name]
        self.wanted[path] = entry
        return entry

    def action(self, path, entry):
        """What becomes of a path that is not as wanted: one that a package brought is still a new one."""
        ours_to_make = entry["created"] and path not in self.before
        return "create" if ours_to_make or not os.path.lexists(path) else "change"

    def declare_parents(self, path):
        """Directories made on the way are ours too: they go with the last path in them."""
        parent = os.path.dirname(path)
        while parent != "/" and parent not in self.wanted:
            known = self.before.get(parent, {"kind": ""})
            if known["kind"] == "directory" or not existed_first(parent):
                self.wanted[parent] = {
                    "kind": "directory",
                    "created": known.get("created", True),
                    "original": None,
                }
                if parent not in self.before or not os.path.lexists(parent):
                    self.effects.append(effect("directory", parent, "create"))
            parent = os.path.dirname(parent)

    def first_mode(self, path, actual):
        """The mode before nodestrap came, as far as that is known; later, the one that is there."""
        first = first_state().get("paths", {}).get(path, {}).get("mode")
        return actual if path in self.before or first is None else int(first, 8)

    def report(self, path, before, after, kind="file", action="change"):
        self.diffs.append({"before_header": path, "after_header": path, "before": before, "after": after})
        if kind:
            self.effects.append(effect(kind, path, action))

    def save_receipt(self, paths):
        if not self.module.check_mode:
            content = {"version": 1, "paths": paths}
            if read_receipt(self.name) != content:
                write_receipt(self.name, content)

    def keep_original(self, path, entry):
        """What somebody else put here is kept, to be put back when we leave."""
        known = self.before.get(path)
        touched = known and (known["created"] or is_theirs(known))
        if touched or self.module.check_mode or not os.path.lexists(path):
            return
        if os.path.islink(path):
            entry["link_before"] = os.readlink(path)
        elif os.path.isfile(path):
            os.makedirs(ORIGINALS, mode=0o700, exist_ok=True)
            entry["original"] = os.path.join(ORIGINALS, quote(path, safe=""))
            shutil.copy2(path, entry["original"])
            owner = os.stat(path)
            os.chown(entry["original"], owner.st_uid, owner.st_gid)
        self.save_receipt({**self.before, path: entry})

    def directory(self, path, mode):
        self.declare_parents(path)
        entry = self.declare(path, kind="directory")
        action = self.action(path, entry)
        if os.path.isdir(path):
            actual = stat.S_IMODE(os.stat(path).st_mode)
            first = self.first_mode(path, actual)
            if first != int(mode, 8) and not entry["created"]:
                entry.setdefault("mode_before", f"{first:04o}")
            if actual == int(mode, 8):
                if action == "create" or first != actual:  # a package or its service was faster
                    self.effects.append(effect("directory", path, action))
                return
            self.report(path, f"mode {actual:04o}\n", f"mode {int(mode, 8):04o}\n", "directory", action)
        elif os.path.lexists(path):
            self.module.fail_json(
                msg=f"{path} is to be a directory, but something else is there: move it away"
            )
        else:
            entry["created"] = True
            self.report(path, "", f"directory, mode {int(mode, 8):04o}\n", "directory", action)
        if not self.module.check_mode:
            os.makedirs(path, exist_ok=True)
            os.chmod(path, int(mode, 8))

    def file(self, path, content, mode, validate):
        data = content.encode()
        self.declare_parents(path)
        entry = self.declare(path, kind="file", sha256=hashlib.sha256(data).hexdigest())
        if os.path.isdir(path):
            self.module.fail_json(msg=f"{path} is to be a file, but a directory is there: move it away")
        if sha256_of(path) == entry["sha256"]:
            actual = os.stat(path)
            if stat.S_IMODE(actual.st_mode) == int(mode, 8) and actual.st_uid == actual.st_gid == 0:
                return
            self.report(
                path,
                f"mode {stat.S_IMODE(actual.st_mode):04o}\n",
                f"mode {int(mode, 8):04o}\n",
            )
        else:
            self.report(path, text_of(path), content, "file", self.action(path, entry))
        if self.module.check_mode:
            return
        self.keep_original(path, entry)
        part = self.write_aside(path, data, int(mode, 8))
        try:
            if validate:
                self.validate(path, part, validate)
            if os.path.islink(path):
                os.unlink(path)
            self.module.atomic_move(part, path)
        finally:
            if os.path.exists(part):
                os.unlink(part)
        os.chmod(path, int(mode, 8))
        os.chown(path, 0, 0)

    def write_aside(self, path, data, mode):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # without the path's extension: who watches the directory for .conflist files must not see it
        remove_stale_parts(os.path.dirname(path))
        descriptor, part = tempfile.mkstemp(dir=os.path.dirname(path), prefix=PART)
        with os.fdopen(descriptor, "wb") as handle:
            os.fchmod(descriptor, mode)
            handle.write(data)
            handle.flush()
            os.fsync(descriptor)
        return part

    def validate(self, path, part, command):
        code, out, err = self.module.run_command(command.replace("%s", part))
        if code != 0:
            reason = (err.strip() or out.strip()).replace(part, path)
            self.module.fail_json(msg=f"the new {path} was refused and not put in place: {reason}")

    def link(self, path, target, kind="link", yields=False):
        if yields and self.is_taken(path, target):
            return
        self.declare_parents(path)
        entry = self.declare(path, kind="link", target=target)
        actual = os.readlink(path) if os.path.islink(path) else None
        if actual == target:
            return
        if os.path.isdir(path) and actual is None:
            self.module.fail_json(msg=f"{path} is to be a link, but a directory is there: move it away")
        before = f"link to {actual}\n" if actual else text_of(path)
        self.report(path, before, f"link to {target}\n", kind, self.action(path, entry))
        if self.module.check_mode:
            return
        self.keep_original(path, entry)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        part = f"{path}.nodestrap-{os.getpid()}"
        os.symlink(target, part)
        os.rename(part, path)

    def is_taken(self, path, target):
        """Whether somebody else provides the command that the link would be."""
        known = self.before.get(path)
        if known:
            return os.path.lexists(path) and not is_ours(path, known)
        if os.path.islink(path) and os.readlink(path) == target:
            return False  # the receipt was lost
        return os.path.lexists(path) or bool(self.module.get_bin_path(os.path.basename(path)))

    def link_all(self, source, path):
        there = os.path.isdir(source)
        made = len(self.diffs)
        for name in sorted(os.listdir(source)) if there else []:
            target, link = os.path.join(source, name), os.path.join(path, name)
            theirs = os.path.lexists(link) and not os.path.islink(link)
            if os.path.isfile(target) and not theirs:
                self.link(link, target, kind="")
        # Before the package is there, nobody knows how many links it will be: they count as one.
        if len(self.diffs) > made or (not there and self.module.check_mode):
            self.effects.append(effect("links", path, "change", f"to each file of {source}"))

    def give_up(self):
        """Remove what an earlier run wrote and this one does not want; deepest first: directories empty."""
        for path in sorted(set(self.before) - set(self.wanted), reverse=True):
            entry = self.before[path]
            if not is_ours(path, entry):
                continue
            self.report(path, text_of(path), "", entry["kind"], "restore" if is_theirs(entry) else "remove")
            if not self.module.check_mode:
                put_back(path, entry)


def text_of(path):
    """The file's text, for a diff."""
    if os.path.isfile(path):
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read(100000)
    return ""


def options(**keys):
    """One list of dictionaries in the argument spec."""
    return {"type": "list", "elements": "dict", "default": [], "options": keys}


PATH = {"type": "path", "required": True}
TEXT = {"type": "str", "required": True}


def spec():
    """The options of one receipt."""
    return {
        "receipt": TEXT,
        "directories": options(path=PATH, mode={"type": "str", "default": "0755"}),
        "files": options(
            path=PATH, content=TEXT, mode={"type": "str", "default": "0644"}, validate={"type": "str"}
        ),
        "links": options(path=PATH, target=TEXT, yields={"type": "bool", "default": False}),
        "link_all": options(source=PATH, path=PATH),
        "gone": {"type": "list", "elements": "path", "default": []},
    }


def converge(module, wanted):
    """Everything of one receipt; returns what says what was done: the diffs and the effects."""
    converger = Converger(module, wanted["receipt"])
    for item in wanted["directories"]:
        converger.directory(item["path"], item["mode"])
    for item in wanted["files"]:
        converger.file(item["path"], item["content"], item["mode"], item["validate"])
    for item in wanted["links"]:
        converger.link(item["path"], item["target"], yields=item["yields"])
    for item in wanted["link_all"]:
        converger.link_all(item["source"], item["path"])
    converger.give_up()
    if converger.new and module.check_mode:
        converger.effects += [effect("file", path, "remove") for path in wanted["gone"]]
    if converger.wanted and converger.new:
        converger.report(receipt_path(wanted["receipt"]), "", "receipt\n", "file", "create")
    converger.save_receipt(converger.wanted)
    return converger.diffs, converger.effects


def main():
    others = {"type": "list", "elements": "dict", "default": [], "options": spec()}
    module = AnsibleModule(argument_spec={**spec(), "others": others}, supports_check_mode=True)
    diffs, effects = [], []
    for wanted in (module.params, *module.params["others"]):
        more_diffs, more_effects = converge(module, wanted)
        diffs += more_diffs
        effects += more_effects
    paths = [diff["after_header"] for diff in diffs]
    module.exit_json(changed=bool(paths), paths=paths, effects=effects, diff=diffs)


if __name__ == "__main__":
    main()
