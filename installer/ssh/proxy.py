"""A command that speaks to a host's sshd for us: ``ssh -W`` through a bastion, or a ProxyCommand of the
user's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile


class Proxy:
    """The command, running, with its stdin and stdout as one end of a socket pair and ``socket`` as the
    other."""

    def __init__(self, command: str) -> None:
        self.socket, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as complaints, theirs:
            self._complaints = os.dup(complaints.fileno())
            self._process = subprocess.Popen(
                ["sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=complaints,
                start_new_session=True,  # ^C is for the run, which closes this in its own time
            )

    def complaint(self) -> str:
        """The last line it wrote to stderr so far."""
        text = os.pread(self._complaints, 65536, 0).decode(errors="replace").strip()
        return text.rpartition("\n")[2]

    def close(self) -> None:
        """End it and wait for its end."""
        self.socket.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=10)
        os.close(self._complaints)
