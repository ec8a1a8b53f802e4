"""Asks a host for its facts, and takes its lock, in one SSH round trip."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import paramiko

from installer.cluster.facts import HostFacts, facts_from_answer
from installer.errors import ConnectError
from installer.ssh.connection import Connection

_TIMEOUT = 60.0  # seconds of silence
# Finds a Python and hands it the probe, which follows on stdin; without one, says what can be said in sh
# alone.
_START = r"""
for python in "$2" python3 /usr/libexec/platform-python; do
  if [ -n "$python" ] && command -v "$python" >/dev/null 2>&1; then
    exec "$python" -c 'import sys; exec(sys.stdin.buffer.read(int(sys.argv[1])).decode(), {"__name__": "__main__"})' "$1"
  fi
done
[ -r /etc/os-release ] && . /etc/os-release
printf '{"machine": "%s", "kernel": "%s", "uid": %s, "os_release": {"ID": "%s", "VERSION_ID": "%s", "PRETTY_NAME": "%s"}}\n' \
  "$(uname -m)" "$(uname -r)" "$(id -u)" "$ID" "$VERSION_ID" "$PRETTY_NAME"
"""  # noqa: E501 - sh


@dataclass
class ProbeSession:
    """A host's facts; while it is open, its lock (when one was asked for and was free)."""

    facts: HostFacts
    locked_by: Mapping[str, Any] | None  # another operator, who holds the lock instead
    _channel: paramiko.Channel

    def close(self) -> None:
        """Give the lock back."""
        self._channel.close()


def gather(connection: Connection, python: str | None, lock: Mapping[str, Any] | None) -> ProbeSession:
    """Probe one host; with ``lock`` (who is asking, for people to read) also take the host's lock.

    ConnectError when the host lets us in but not become root, or does not answer.
    """
    source = files("installer.preflight").joinpath("probe.py").read_bytes()
    reply = ask(connection, python, source, {"lock": lock})
    facts = facts_from_answer(reply.answer, sent=reply.sent, received=reply.received)
    return ProbeSession(facts, reply.answer.get("locked_by"), reply.channel)


@dataclass(frozen=True)
class Reply:
    """What a probe said; ``sent`` and ``received`` are the controller's clock around it (seconds)."""

    answer: dict[str, Any]
    sent: float
    received: float
    channel: paramiko.Channel  # open still: the probe ends when it is closed


def ask(connection: Connection, python: str | None, source: bytes, request: Mapping[str, Any]) -> Reply:
    """Run Python ``source`` as root on the host, hand it ``request`` as a JSON line and read one from it.

    ConnectError when the host lets us in but not become root, or does not answer.
    """
    sent = time.time()
    channel = connection.open(["sh", "-c", _START, "sh", str(len(source)), python or ""], timeout=_TIMEOUT)
    try:
        channel.sendall(source + json.dumps(request).encode() + b"\n")
        line = _read_line(channel)
        received = time.time()
        return Reply(json.loads(line), sent, received, channel)
    except (ValueError, TimeoutError, OSError) as error:
        said = (
            channel.recv_stderr(4096).decode(errors="replace").strip() if channel.recv_stderr_ready() else ""
        )
        channel.close()
        raise ConnectError(
            f"the probe did not answer: {said.rpartition(chr(10))[2] or error or type(error).__name__}",
            host=connection.host,
            step="facts",
            fix="log in and run `python3 -V` as root: does it work, and is there room in /tmp?",
        ) from error


def _read_line(channel: paramiko.Channel) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = channel.recv(65536)
        if not chunk:
            break
        line += chunk
    return bytes(line)
