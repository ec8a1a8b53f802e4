"""What nodestrap put on a host: one JSON file per role, so that it can be repaired, replaced and taken
away.
"""

from __future__ import annotations

import hashlib
import json
import os

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
