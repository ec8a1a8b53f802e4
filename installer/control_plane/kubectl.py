"""``kubectl`` on a control plane, as its administrator. Secrets go over stdin: an argument would be seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import yaml

from installer.errors import ClusterError

ADMIN_CONF: Final = "/etc/kubernetes/admin.conf"
_PAUSE: Final = 1.0  # seconds between tries
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Answer(Protocol):
    """What a command left behind; ``ssh.connection.CommandResult`` is one."""

    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...


RunCommand = Callable[[list[str], bytes, float], Answer]
"""Runs a command as root on the control plane: its words, stdin, and seconds until it must have answered."""


class Kubectl:
    """Asks one API server."""

    def __init__(self, host: str, run: RunCommand) -> None:
        self.host = host
        self._run = run

    def __call__(self, *words: str, stdin: bytes = b"", timeout: float = 30.0, tries: int = 1) -> str:
        """Run ``kubectl WORDS`` and return its stdout. Raises ClusterError with what it complained about.

        With ``tries``, an API server that cannot be reached is asked again: it may be restarting.
        """
        argv = ["kubectl", "--kubeconfig", ADMIN_CONF, f"--request-timeout={timeout:.0f}s", *words]
        for left in reversed(range(tries)):
            answer = self.command(argv, stdin, timeout + 15)
            if answer.status == 0:
                return answer.stdout.decode(errors="replace")
            complaint = answer.stderr.decode(errors="replace").strip()
            if not (left and _unreachable(complaint)):
                break
            time.sleep(_PAUSE)
        raise ClusterError(
            f"kubectl {' '.join(words[:3])}: {complaint or f'exit code {answer.status}'}",
            host=self.host,
            step="kubectl",
            fix="is the API server up? `crictl ps -a` and `journalctl -u kubelet` on the host show it",
        )

    def command(self, argv: list[str], stdin: bytes = b"", timeout: float = 60.0) -> Answer:
        """Run another command there, as root, with a PATH that has what nodestrap installs."""
        return self._run(["env", f"PATH={PATH}", *argv], stdin, timeout)

    def get(self, *words: str, timeout: float = 30.0) -> Any:
        """The objects that ``kubectl get WORDS`` finds, as JSON has them. Raises ClusterError."""
        return json.loads(self("get", *words, "--output=json", timeout=timeout))

    def find(self, *words: str) -> Any:
        """One object, or None where there is none. Raises ClusterError."""
        text = self("get", *words, "--output=json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def apply(self, *objects: dict[str, Any]) -> int:
        """Make the cluster's objects like these; returns how many had to change. Raises ClusterError."""
        return self.apply_text(yaml.safe_dump_all(objects, sort_keys=False))

    def apply_text(self, manifest: str, *words: str) -> int:
        """The same with a manifest's text."""
        said = self("apply", *words, "--filename=-", stdin=manifest.encode(), timeout=60)
        return sum(not line.endswith(" unchanged") for line in said.splitlines() if line.strip())

    def delete(self, *words: str) -> None:
        """Delete objects; what is not there is no matter. Raises ClusterError."""
        self("delete", *words, "--ignore-not-found")


def _unreachable(complaint: str) -> bool:
    return any(
        text in complaint
        for text in ("connection refused", "was refused", "EOF", "i/o timeout", "TLS handshake")
    )
