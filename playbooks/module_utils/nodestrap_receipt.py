"""What nodestrap put on a host: one JSON file per role, so that it can be repaired, replaced and taken
away.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat

RECEIPTS = "/var/lib/nodestrap/receipts"
ORIGINALS = "/var/lib/nodestrap/originals"
PART = ".nodestrap-"  # how the names of files that are being written begin


def receipt_path(name):
    """Where the receipt called ``name`` is kept."""
    return os.path.join(RECEIPTS, name + ".json")


def read_receipt(name):
    """The receipt's content; empty when it is missing or cannot be parsed: it is then written anew."""
    try:
        with open(receipt_path(name), encoding="utf-8") as handle:
            content = json.load(handle)
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_receipt(name, content):
    """Write it durably and at once: a crash leaves the old one or the new one."""
    os.makedirs(RECEIPTS, mode=0o700, exist_ok=True)
    part = receipt_path(name) + ".part"
    with open(part, "w", encoding="utf-8") as handle:
        json.dump(content, handle, indent=1, sort_keys=True)
        handle.write("\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.rename(part, receipt_path(name))


def remove_receipt(name):
    """Forget it: what it told of is undone."""
    if os.path.exists(receipt_path(name)):
        os.unlink(receipt_path(name))


def first_state():
    """What the module ``first_state`` found on the host before anything was changed; empty without it."""
    return read_receipt("first_state")


def existed_first(path):
    """Whether the path was there before nodestrap came: a package or a service may have made it since."""
    known = first_state().get("paths", {}).get(path)
    return os.path.lexists(path) if known is None else known["state"] != "absent"


def effect(kind, name, action, note=None):
    """One entry of a module's ``effects``: what it changed or, in check mode, would change."""
    found = {"kind": kind, "name": name, "action": action}
    return {**found, "note": note} if note else found


def remove_stale_parts(directory):
    """Remove what a killed run left half written. One run is on a host at a time."""
    for name in os.listdir(directory):
        if name.startswith(PART):
            os.unlink(os.path.join(directory, name))


def sha256_of(path):
    """Hex sha256 of a file; None when there is no regular file at ``path``."""
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for chunk in iter(lambda: handle.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def is_ours(path, entry):
    """Whether the path is still what we made of it: what somebody edited since is not removed, nor what was
    there before and needed no change."""
    if entry["kind"] == "directory":
        if not os.path.isdir(path):
            return False
        return not os.listdir(path) if entry["created"] else changed_mode(path, entry)
    if not entry["created"] and not is_theirs(entry):
        return False
    if entry["kind"] == "link":
        return os.path.islink(path) and os.readlink(path) == entry["target"]
    return sha256_of(path) == entry["sha256"]


def is_theirs(entry):
    """Whether something else was at the path before, which is kept."""
    return bool(entry.get("original") or entry.get("link_before") or entry.get("mode_before"))


def changed_mode(path, entry):
    """Whether a directory that was there before has the mode that we gave it."""
    before = entry.get("mode_before")
    return before is not None and stat.S_IMODE(os.stat(path).st_mode) != int(before, 8)


def put_back(path, entry):
    """Make the path what it was before we came. The original replaces ours in one step."""
    if entry["kind"] == "directory":
        if entry["created"]:
            os.rmdir(path)
        else:
            os.chmod(path, int(entry["mode_before"], 8))
    elif entry.get("original"):
        shutil.move(entry["original"], path)
    else:
        if os.path.lexists(path):
            os.unlink(path)
        if entry.get("link_before"):
            os.symlink(entry["link_before"], path)


def installed(receipt):
    """Files of a release's receipt that are still as they were installed, with what was there before."""
    origin = receipt.get("origin", {})
    for path, entry in sorted(receipt.get("files", {}).items()):
        before = origin.get(path, {})
        if "untouched" not in before and sha256_of(path) == entry["sha256"]:
            yield path, {"kind": "file", **before}


def take_away(receipt):
    """Remove a release's files, put back what was there before, and the directories that are empty then."""
    for path, before in installed(receipt):
        put_back(path, before)
    if receipt.get("tree") and receipt["dest"] in receipt.get("directories", []):
        shutil.rmtree(receipt["dest"], ignore_errors=True)
    for path in reversed(receipt.get("directories", [])):
        if os.path.isdir(path) and not os.listdir(path):
            os.rmdir(path)


def give_up_releases(names, check_mode):
    """Remove what ``install_artifact`` unpacked under these receipts, and them; returns paths and effects.

    A file that somebody replaced since is left alone, and what was there before comes back.
    """
    paths, effects = [], []
    for name in names:
        receipt = read_receipt(name)
        for path, before in installed(receipt):
            paths.append(path)
            effects.append(effect("file", path, "restore" if is_theirs(before) else "remove"))
        if os.path.exists(receipt_path(name)):
            paths.append(receipt_path(name))
            effects.append(effect("file", receipt_path(name), "remove"))
        if not check_mode:
            take_away(receipt)
            remove_receipt(name)
    return paths, effects
