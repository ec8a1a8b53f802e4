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
    required: true
  sha256:
    description: Its checksum. Another content is refused, on the host too.
    type: str
    required: true
  dest:
    description: Directory to unpack into.
    type: path
    required: true
  receipt:
    description: Name of the receipt.
    type: str
    required: true
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
  archive:
    description: Set by the action plugin, the sent file.
    type: path
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
"""

import fnmatch
import os
import shutil
import tarfile
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import (
    PART,
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
        if sha256_of(path) != entry["sha256"] or os.stat(path).st_mode & 0o777 != entry["mode"]:
            broken.append(path)
    return broken


def members(module, archive):
    """Yield ``(path, mode, open file)`` of every file that is wanted. Anything but files is refused."""
    dest = module.params["dest"]
    if module.params["name"]:
        with open(archive, "rb") as content:
            yield os.path.join(dest, module.params["name"]), 0o755, content
        return
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            parts = [part for part in member.name.split("/") if part not in ("", ".")]
            name = "/".join(parts[module.params["strip"] :])
            if member.isdir() or not any(fnmatch.fnmatch(name, pattern) for pattern in module.params["only"]):
                continue
            if not member.isreg() or ".." in parts or member.name.startswith("/") or not name:
                module.fail_json(
                    msg=f"the release file holds {member.name!r}, which is not a plain file below it"
                )
            yield os.path.join(dest, name), member.mode & 0o755 | 0o600, tar.extractfile(member)


def unpack(module, archive):
    """Write every file that differs; return the receipt's files and the paths written."""
    files, written, directories = {}, [], set()
    for path, mode, content in members(module, archive):
        directory = os.path.dirname(path)
        if directory not in directories:
            directories.add(directory)
            os.makedirs(directory, exist_ok=True)
            remove_stale_parts(directory)
        descriptor, part = tempfile.mkstemp(dir=directory, prefix=PART)
        with os.fdopen(descriptor, "wb") as handle:
            shutil.copyfileobj(content, handle, 1 << 20)
            os.fchmod(descriptor, mode)
        files[path] = {"sha256": sha256_of(part), "mode": mode}
        if sha256_of(path) == files[path]["sha256"]:
            os.unlink(part)
            os.chmod(path, mode)
        else:
            os.rename(part, path)
            written.append(path)
    return files, written


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


def outdated(module):
    """Sibling releases beyond those to keep."""
    keep, dest = module.params["keep"], module.params["dest"]
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
    """Unpack the sent archive and write the new receipt; return the paths written and removed."""
    archive, dest = module.params["archive"], module.params["dest"]
    actual = sha256_of(archive)
    if actual != module.params["sha256"]:
        module.fail_json(
            msg="{} arrived with sha256 {} instead of {}: not installed".format(
                module.params["src"], actual, module.params["sha256"]
            )
        )
    files, paths = unpack(module, archive)
    if module.params["compile"]:
        compile_python(module, module.params["compile"], dest, files)
    former = receipt.get("files", {}) if receipt.get("dest") == dest else {}
    for path in sorted(set(former) - set(files)):
        if os.path.isfile(path):
            os.unlink(path)
            paths.append(path)
    write_receipt(module.params["receipt"], {"version": 1, "sha256": actual, "dest": dest, "files": files})
    os.utime(dest)  # the newest release is the one installed last
    return paths


def main():
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "receipt": {"type": "str", "required": True},
            "name": {"type": "str"},
            "strip": {"type": "int", "default": 0},
            "only": {"type": "list", "elements": "str", "default": ["*"]},
            "compile": {"type": "path"},
            "keep": {"type": "int", "default": 0},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    receipt = read_receipt(module.params["receipt"])
    same = receipt.get("sha256") == module.params["sha256"] and receipt.get("dest") == module.params["dest"]
    paths = broken_files(receipt) if same else [module.params["dest"]]
    old = outdated(module)
    if paths and not module.check_mode:
        if not module.params["archive"]:
            module.exit_json(changed=False, paths=[], needs_archive=True)
        paths = install(module, receipt) or [receipt_path(module.params["receipt"])]
    for path in old:
        if not module.check_mode:
            remove_release(module, path)
    paths += old
    diff = {"before": "", "after": "".join(path + "\n" for path in paths)}
    module.exit_json(changed=bool(paths), paths=paths, needs_archive=False, diff=diff)


if __name__ == "__main__":
    main()
