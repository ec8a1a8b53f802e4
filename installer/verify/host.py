"""The machine behind an endpoint: commands as root, and connections to its loopback.

``LocalHost`` is this machine; ``ssh_host.SshHost`` is one over SSH. A check that reads the node's files or
looks for leaks goes through here, so that it works the same for both.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol


class HostError(Exception):
    """A command on the host could not be run, or failed where success was demanded."""


@dataclass(frozen=True)
class CommandResult:
    """What a command on the host left behind."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")


class ByteStream(Protocol):
    """A connected byte stream: the part of socket.socket that streaming checks use."""

    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def close(self) -> None: ...


class Host:
    """Base of both kinds; subclasses run one script and open one connection."""

    name: str

    def execute(self, script: str, *, stdin: bytes, timeout: float) -> CommandResult:
        """Run a POSIX shell script as root. Raises HostError when it cannot be run at all."""
        raise NotImplementedError

    def dial(self, address: str, port: int, *, timeout: float = 10.0) -> ByteStream:
        """Connect to a TCP port as seen from the host. Raises OSError."""
        raise NotImplementedError

    def run(
        self, script: str, *, stdin: bytes = b"", timeout: float = 20.0, check: bool = True
    ) -> CommandResult:
        """Run a POSIX shell script as root; raises HostError when it fails and `check` is set."""
        result = self.execute(script, stdin=stdin, timeout=timeout)
        if check and result.code != 0:
            reason = result.stderr.decode(errors="replace").strip() or f"exit code {result.code}"
            raise HostError(f"{self.name}: {script.strip().splitlines()[0][:80]}: {reason}")
        return result

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None when it does not exist. Raises HostError for any other failure."""
        quoted = shlex.quote(path)
        result = self.run(f"if [ -e {quoted} ]; then cat {quoted}; else exit 44; fi", check=False)
        if result.code == 44:
            return None
        if result.code != 0:
            raise HostError(f"{self.name}: {path}: {result.stderr.decode(errors='replace').strip()}")
        return result.stdout

    @cached_property
    def refusal(self) -> str | None:
        """Why commands cannot be run as root on this host; None when they can."""
        try:
            result = self.execute("id -u", stdin=b"", timeout=20.0)
        except HostError as error:
            return str(error)
        if result.code == 0 and result.text.strip() == "0":
            return None
        reason = result.stderr.decode(errors="replace").strip().splitlines()
        return reason[0] if reason else f"commands run as uid {result.text.strip()}, not as root"


class LocalHost(Host):
    """This machine; through ``sudo -n`` when we are not root."""

    name = "localhost"

    def execute(self, script: str, *, stdin: bytes, timeout: float) -> CommandResult:
        argv = ["sh", "-c", script] if os.geteuid() == 0 else ["sudo", "-n", "sh", "-c", script]
        try:
            done = subprocess.run(
                argv,
                input=stdin,
                capture_output=True,
                timeout=timeout,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,  # ctrl-C in the terminal must not end a command that cleans up
            )
        except FileNotFoundError as error:
            raise HostError(f"{argv[0]} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise HostError(f"{script.strip().splitlines()[0][:80]}: no end after {timeout:.0f} s") from error
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def dial(self, address: str, port: int, *, timeout: float = 10.0) -> ByteStream:
        return socket.create_connection((address, port), timeout=timeout)
