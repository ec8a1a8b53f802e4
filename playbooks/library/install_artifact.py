#!/usr/bin/python
"""Ansible module: the content of a release file is unpacked on the host, file by file as it was released."""

from __future__ import annotations

DOCUMENTATION = r"""
module: install_artifact
short_description: A release file's content is on the host
description:
  - Compares the installed files, by sha256, with the receipt that the last installation left. Only when
    something is missing, altered or of another release is the file sent from the controller, checked again,
    and unpacked, each file written aside and renamed. So a second run costs no transfer, and a deleted file
    is repaired.
  - Files of a former release that the new one does not have are removed.
options:
  src:
    description: The release file on the controller, a tar.gz, or a single binary when O(name) is given.
    type: path
  sha256:
    description: Its checksum. Another content is refused, on the host too.
    type: str
  dest:
    description: Directory to unpack into.
    type: path
  receipt:
    description: Name of the receipt.
    type: str
  name:
    description: File name of a single binary.
    type: str
  strip:
    description: How many leading directories of the archive's names to drop.
    type: int
    default: 0
  only:
    description: Glob patterns of the (stripped) names that are wanted.
    type: list
    elements: str
    default: ["*"]
  compile:
    description: A Python interpreter that compiles what was unpacked, once, so that no start has to.
    type: path
  keep:
    description:
      - How many directories beside O(dest), itself included, to keep, newest first. The one that the link
        C(current) beside it points to is always kept. 0 removes none.
    type: int
    default: 0
  artifacts:
    description:
      - Several release files, each a dictionary of the options above. The host is asked about all of them at
        once, and again only about those that it lacks. An empty list is allowed and changes nothing.
    type: list
    elements: dict
  archive:
    description: Set by the action plugin, the sent file.
    type: path
  members:
    description: Set by the action plugin in check mode, the archive's files, each with name, mode and sha256.
    type: list
    elements: dict
author: nodestrap
"""

EXAMPLES = r"""
- name: Containerd
  install_artifact:
    src: "{{ containerd_artifact.path }}"
    sha256: "{{ containerd_artifact.sha256 }}"
    dest: /usr/local/bin
    strip: 1
    receipt: containerd-release
"""

RETURN = r"""
paths:
  description: Paths that were, or in check mode would be, written or removed.
  type: list
  elements: str
  returned: always
needs_archive:
  description: The action plugin has to send the release file.
  type: bool
  returned: always
lacking:
  description: With O(artifacts), the receipts of those that the host lacks; the action plugin sees to them.
  type: list
  elements: str
  returned: with O(artifacts)
needs_members:
  description: In check mode, the action plugin has to say what is in the release file.
  type: bool
  returned: always
effects:
  description: The same as O(ignore:paths) by kind (V(file), V(tree)), name and action.
  type: list
  elements: dict
  returned: always
"""

import fnmatch
import os
import shutil
import tarfile
import tempfile
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import (
    ORIGINALS,
    PART,
    effect,
    existed_first,
    read_receipt,
    receipt_path,
    remove_stale_parts,
    sha256_of,
    write_receipt,
)


def broken_files(receipt):
    """Files of the receipt that are missing, altered, or have lost their mode."""
    broken = []
    for path, entry in receipt.get("files", {}).items():
        if entry.get("stamp") is not None and entry["stamp"] == stamp(path):
            continue
        if sha256_of(path) != entry["sha256"] or os.stat(path).st_mode & 0o777 != entry["mode"]:
            broken.append(path)
    return broken


def stamp(path):
    """What changes whenever anybody writes to a file, or to its mode: its ctime is the kernel's alone.

    A file whose stamp is that of the receipt need not be read again; hundreds of megabytes are not.
    """
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def wanted_path(module, name):
    """Where a member of the archive goes; None when it is not wanted."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    stripped = "/".join(parts[module.params["strip"] :])
    if not any(fnmatch.fnmatch(stripped, pattern) for pattern in module.params["only"]):
        return None
    if ".." in parts or name.startswith("/") or not stripped:
        refuse(module, name)
    return os.path.join(module.params["dest"], stripped)


def refuse(module, name):
    module.fail_json(msg=f"the release file holds {name!r}, which is not a plain file below it")


def wanted_mode(mode):
    return mode & 0o755 | 0o600


def members(module, archive):
    """Yield ``(path, mode, open file)`` of every file that is wanted. Anything but files is refused."""
    if module.params["name"]:
        with open(archive, "rb") as content:
            yield os.path.join(module.params["dest"], module.params["name"]), 0o755, content
        return
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            path = None if member.isdir() else wanted_path(module, member.name)
            if path is None:
                continue
            if not member.isreg():
                refuse(module, member.name)
            yield path, wanted_mode(member.mode), tar.extractfile(member)


class Unpacking:
    """Writes every file that differs, and notes first what was there: a run that is killed half way leaves a
    receipt that tells it."""

    def __init__(self, module, receipt):
        self.module = module
        self.tree = bool(module.params["compile"])  # a directory of our own, which comes and goes as a whole
        self.receipt = receipt if receipt.get("dest") == module.params["dest"] else {}
        self.unfinished = "sha256" in self.receipt and self.receipt["sha256"] is None
        self.origin = dict(self.receipt.get("origin", {}))
        self.directories = list(self.receipt.get("directories", []))
        self.files, self.written, self.effects = {}, [], []

    def run(self, archive):
        self.begin()
        seen = set()
        for path, mode, content in members(self.module, archive):
            directory = os.path.dirname(path)
            if directory not in seen:
                seen.add(directory)
                os.makedirs(directory, exist_ok=True)
                remove_stale_parts(directory)
            self.put(path, mode, content)
        self.remove_former()

    def begin(self):
        """Note the directories that will be made, and that this is not finished."""
        dest = self.module.params["dest"]
        made = missing_directories(dest, self.directories)
        self.effects += [
            effect("directory", path, "create") for path in made if not self.tree or path != dest
        ]
        if self.tree:
            self.effects.append(effect("tree", dest, "create" if dest in made else "change"))
        if not os.path.exists(receipt_path(self.module.params["receipt"])):
            self.effects.append(effect("file", receipt_path(self.module.params["receipt"]), "create"))
        self.directories += [path for path in made if path not in self.directories]
        self.save(None, {**self.receipt.get("files", {})})

    def save(self, sha256, files):
        if sha256 is not None:  # done: nothing is written any more
            for path, entry in files.items():
                entry["stamp"] = stamp(path)
        content = {"version": 1, "sha256": sha256, "dest": self.module.params["dest"], "files": files}
        content.update(tree=self.tree, origin=self.origin, directories=self.directories)
        write_receipt(self.module.params["receipt"], content)

    def put(self, path, mode, content):
        descriptor, part = tempfile.mkstemp(dir=os.path.dirname(path), prefix=PART)
        with os.fdopen(descriptor, "wb") as handle:
            shutil.copyfileobj(content, handle, 1 << 20)
            os.fchmod(descriptor, mode)
        self.files[path] = {"sha256": sha256_of(part), "mode": mode}
        if not self.tree:
            self.effects += difference(path, self.files[path])
        known = path in self.receipt.get("files", {})
        if sha256_of(path) == self.files[path]["sha256"]:
            os.unlink(part)
            os.chmod(path, mode)
            if not (known or self.tree or self.unfinished or path in self.origin):
                self.origin[path] = {"untouched": True}
            return
        if not self.tree and not (known and path not in self.origin):
            self.note_origin(path)
        os.rename(part, path)
        self.written.append(path)

    def note_origin(self, path):
        """Keep what somebody else put here."""
        kept = path in self.origin and "untouched" not in self.origin[path]
        if kept or not os.path.lexists(path):
            return
        if os.path.islink(path):
            self.origin[path] = {"link_before": os.readlink(path)}
        else:
            os.makedirs(ORIGINALS, mode=0o700, exist_ok=True)
            kept = os.path.join(ORIGINALS, quote(path, safe=""))
            shutil.copy2(path, kept)
            self.origin[path] = {"original": kept}
        self.save(None, {**self.receipt.get("files", {}), **self.files})

    def remove_former(self):
        """Files of the former release that this one does not have."""
        for path in sorted(set(self.receipt.get("files", {})) - set(self.files)):
            if os.path.isfile(path) and not (self.tree and path.endswith(".pyc")):
                os.unlink(path)
                self.written.append(path)
                if not self.tree:
                    self.effects.append(effect("file", path, "remove"))


def missing_directories(dest, ours):
    """The directories that have to be made for ``dest``, outermost first."""
    made, path = [], dest
    while path != "/" and not existed_first(path) and (path not in ours or not os.path.isdir(path)):
        made.insert(0, path)
        path = os.path.dirname(path)
    return made


def difference(path, entry):
    """The effect of putting a file where something or nothing is; none when it is there already."""
    if sha256_of(path) != entry["sha256"]:
        return [effect("file", path, "change" if os.path.lexists(path) else "create")]
    return [] if os.stat(path).st_mode & 0o777 == entry["mode"] else [effect("file", path, "change")]


def foretell(module, receipt):
    """Effects in check mode, from the list of members that the action plugin has read."""
    unpacking = Unpacking(module, receipt)
    unpacking.save = lambda _sha256, _files: None
    unpacking.begin()
    if unpacking.tree:
        return unpacking.effects
    if module.params["name"]:
        path = os.path.join(module.params["dest"], module.params["name"])
        wanted = {path: {"sha256": module.params["sha256"], "mode": 0o755}}
    else:
        listed = ((wanted_path(module, each["name"]), each) for each in module.params["members"] or [])
        wanted = {
            path: {"sha256": each["sha256"], "mode": wanted_mode(each["mode"])}
            for path, each in listed
            if path is not None
        }
    for path, entry in wanted.items():
        unpacking.effects += difference(path, entry)
    former = set(unpacking.receipt.get("files", {})) - set(wanted)
    return unpacking.effects + [
        effect("file", path, "remove") for path in sorted(former) if os.path.isfile(path)
    ]


def compile_python(module, interpreter, dest, files):
    """Byte code that is never checked against its source again: both come and go together."""
    argv = [
        interpreter,
        "-m",
        "compileall",
        "-q",
        "-f",
        "-j",
        "0",
        "--invalidation-mode",
        "unchecked-hash",
        dest,
    ]
    code, out, err = module.run_command(argv)
    if code != 0:
        module.fail_json(msg=f"{interpreter} could not compile {dest}: {(err or out).strip()[-1000:]}")
    for directory, _subdirectories, names in os.walk(dest):
        for name in names:
            path = os.path.join(directory, name)
            if name.endswith(".pyc"):
                files[path] = {"sha256": sha256_of(path), "mode": os.stat(path).st_mode & 0o777}


def broken_paths(params, receipt):
    """What is missing, altered or of another release."""
    same = receipt.get("sha256") == params["sha256"] and receipt.get("dest") == params["dest"]
    return broken_files(receipt) if same else [params["dest"]]


def lacking(artifacts):
    """The receipts of those that something has to be done about."""
    return [
        each["receipt"]
        for each in artifacts
        if broken_paths(each, read_receipt(each["receipt"]))
        or outdated(int(each.get("keep", 0)), each["dest"])
    ]


def outdated(keep, dest):
    """Sibling releases beyond those to keep."""
    root = os.path.dirname(dest)
    if not keep or not os.path.isdir(root):
        return []
    current = os.path.realpath(os.path.join(root, "current"))
    found = [entry.path for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False)]
    others = sorted((path for path in found if path != dest), key=os.path.getmtime, reverse=True)
    others.sort(key=lambda path: path != current)
    return [path for path in others[keep - 1 :] if path != current]


def remove_release(module, path):
    """Remove a release's directory and its receipt, which is called as ours but for the directory's name."""
    ours, theirs = os.path.basename(module.params["dest"]), os.path.basename(path)
    shutil.rmtree(path)
    receipt = receipt_path(module.params["receipt"].replace(ours, theirs))
    if ours in module.params["receipt"] and os.path.exists(receipt):
        os.unlink(receipt)


def install(module, receipt):
    """Unpack the sent archive and write the new receipt; return paths written and removed, and effects."""
    archive, dest = module.params["archive"], module.params["dest"]
    actual = sha256_of(archive)
    if actual != module.params["sha256"]:
        module.fail_json(
            msg="{} arrived with sha256 {} instead of {}: not installed".format(
                module.params["src"], actual, module.params["sha256"]
            )
        )
    unpacking = Unpacking(module, receipt)
    unpacking.run(archive)
    if module.params["compile"]:
        compile_python(module, module.params["compile"], dest, unpacking.files)
    unpacking.save(actual, unpacking.files)
    os.utime(dest)  # the newest release is the one installed last
    return unpacking.written or [receipt_path(module.params["receipt"])], unpacking.effects


def main():
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path"},
            "sha256": {"type": "str"},
            "dest": {"type": "path"},
            "receipt": {"type": "str"},
            "name": {"type": "str"},
            "strip": {"type": "int", "default": 0},
            "only": {"type": "list", "elements": "str", "default": ["*"]},
            "compile": {"type": "path"},
            "keep": {"type": "int", "default": 0},
            "archive": {"type": "path"},
            "members": {"type": "list", "elements": "dict"},
            "artifacts": {"type": "list", "elements": "dict"},
        },
        required_one_of=[("src", "artifacts")],
        mutually_exclusive=[("src", "artifacts")],
        required_together=[("src", "sha256", "dest", "receipt")],
        supports_check_mode=True,
    )
    if module.params["artifacts"] is not None:
        module.exit_json(changed=False, lacking=lacking(module.params["artifacts"]), paths=[], effects=[])
    receipt = read_receipt(module.params["receipt"])
    paths = broken_paths(module.params, receipt)
    old, effects = outdated(module.params["keep"], module.params["dest"]), []
    if paths and module.check_mode:
        if module.params["members"] is None and not (module.params["name"] or module.params["compile"]):
            module.exit_json(changed=True, paths=paths, needs_archive=False, needs_members=True, effects=[])
        effects = foretell(module, receipt)
    elif paths:
        if not module.params["archive"]:
            module.exit_json(changed=False, paths=[], needs_archive=True, effects=[])
        paths, effects = install(module, receipt)
    for path in old:
        effects.append(effect("tree", path, "remove"))
        if not module.check_mode:
            remove_release(module, path)
    paths += old
    diff = {"before": "", "after": "".join(path + "\n" for path in paths)}
    module.exit_json(changed=bool(paths), paths=paths, needs_archive=False, effects=effects, diff=diff)


if __name__ == "__main__":
    main()
