"""Pinned host keys: one file in OpenSSH's format, which Ansible's ssh reads too.

A host's key is pinned on first contact and must be the same ever after: a changed key ends the run for that
host, with the command that accepts the new key for whoever knows why it changed.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import paramiko

from installer.errors import HostKeyError

_append_lock = threading.Lock()


def host_key_name(address: str, port: int) -> str:
    """The name OpenSSH files a host under: bare on port 22, ``[address]:port`` elsewhere (sshd(8))."""
    return address.lower() if port == 22 else f"[{address.lower()}]:{port}"


class PinOnFirstContact(paramiko.MissingHostKeyPolicy):
    """Paramiko asks this for hosts it has no key of: pin it. (A different key never gets here.)"""

    def __init__(self, known_hosts_file: Path) -> None:
        self._file = known_hosts_file
        self.pinned: str | None = None  # the fingerprint, when this contact was the first

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        pin(self._file, hostname, key)
        self.pinned = key.fingerprint


def pin(known_hosts_file: Path, name: str, key: paramiko.PKey) -> None:
    """Append one key; HostKeyError when another process has just pinned a different one for this name."""
    known_hosts_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _append_lock, os.fdopen(_open(known_hosts_file), "r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        for line in stream:
            fields = line.split()
            if len(fields) >= 3 and fields[0] == name and fields[1] == key.get_name():
                if fields[2] == key.get_base64():
                    return
                raise changed_key(known_hosts_file, name)
        stream.seek(0, os.SEEK_END)
        stream.write(f"{name} {key.get_name()} {key.get_base64()}\n")
        stream.flush()
        os.fsync(stream.fileno())


def changed_key(known_hosts_file: Path, name: str) -> HostKeyError:
    """The refusal, with its fix."""
    return HostKeyError(
        f"its SSH host key is not the one pinned in {known_hosts_file}: the host was reinstalled, "
        "the address now belongs to another machine, or somebody is in between",
        step="connect",
        fix=f"compare the key on the host's console; if the change is rightful: "
        f"ssh-keygen -f {known_hosts_file} -R '{name}', then run again",
    )


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
