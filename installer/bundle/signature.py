"""Signed with an SSH key and checked with OpenSSH's own tool: ``ssh-keygen -Y``."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from installer.errors import ArtifactError, UsageError

NAMESPACE: Final = "nodestrap-bundle"  # a signature made for anything else does not count
_IDENTITY: Final = "bundle"


def sign(content: bytes, private_key: Path) -> bytes:
    """The signature over ``content``; the agent serves where ``private_key`` is a public one.

    Raises UsageError when there is no such key, or ssh-keygen refuses it.
    """
    if not private_key.is_file():
        raise UsageError(f"there is no key {private_key}", fix="make one: ssh-keygen -t ed25519 -f KEY")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "manifest"
        path.write_bytes(content)
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(private_key), "-n", NAMESPACE, str(path)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UsageError(
                f"ssh-keygen cannot sign with {private_key}: {done.stderr.strip()}",
                fix="a key with a passphrase is used through ssh-agent: name its .pub file",
            )
        return path.with_suffix(".sig").read_bytes()


def check(content: bytes, signature: bytes | None, public_key: Path) -> None:
    """Raise ArtifactError unless the key behind ``public_key`` signed ``content``.

    The file holds one public key, or is an ``allowed_signers`` file, in which any of its keys will do.
    """
    if signature is None:
        raise ArtifactError(
            "the bundle is not signed, and a key was given", fix="bundle create --key signs it"
        )
    with tempfile.TemporaryDirectory() as directory:
        signers, path = Path(directory) / "signers", Path(directory) / "signature"
        signers.write_text(_allowed(public_key))
        path.write_bytes(signature)
        argv = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", _IDENTITY, "-n", NAMESPACE]
        done = subprocess.run([*argv, "-s", str(path)], input=content, capture_output=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise ArtifactError(
            f"the bundle's signature is not by {public_key}: {said}",
            fix="do not use it: fetch it again, from whoever signs it",
        )


def _allowed(public_key: Path) -> str:
    try:
        lines = public_key.read_text().splitlines()
    except OSError as error:
        raise UsageError(f"{public_key}: {error.strerror}", fix="name the signer's public key") from error
    keys = []
    for line in lines:
        words = line.split()
        start = next((i for i, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-"))), None)
        if start is not None and len(words) > start + 1 and not line.lstrip().startswith("#"):
            keys.append(f"{_IDENTITY} {words[start]} {words[start + 1]}\n")
    if not keys:
        raise UsageError(f"{public_key} holds no SSH public key", fix="name the signer's .pub file")
    return "".join(keys)
