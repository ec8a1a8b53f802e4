"""Commands that need root on the host: run as they are for root, through sudo for anybody else.

sudo's password goes to its stdin when it asks on stderr, and only then: sent blindly, it would end up in the
command's own input on hosts where sudo asks nothing.
"""

from __future__ import annotations

import secrets
import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class PrivilegedCommand:
    """A shell command line for the host, and the marks it leaves on stderr."""

    line: str
    prompt: bytes  # sudo wants a password
    started: bytes  # the command runs; what follows on stderr is its own


def privileged(argv: list[str], *, become: bool) -> PrivilegedCommand:
    """Wrap ``argv``. Works with sh alone: the host may have no sudo (root's login needs none)."""
    nonce = secrets.token_hex(8)
    prompt, started = f"nodestrap-password-{nonce}:", f"nodestrap-started-{nonce}\n"
    run = f"printf 'nodestrap-started-%s\\n' {nonce} >&2; exec {shlex.join(argv)}"
    if not become:
        return PrivilegedCommand(f"exec sh -c {shlex.quote(run)}", prompt.encode(), started.encode())
    sudo = f"exec sudo -H -S -p {shlex.quote(prompt)} -- sh -c {shlex.quote(run)}"
    line = f'if [ "$(id -u)" = 0 ]; then exec sh -c {shlex.quote(run)}; else {sudo}; fi'
    return PrivilegedCommand(f"exec sh -c {shlex.quote(line)}", prompt.encode(), started.encode())
