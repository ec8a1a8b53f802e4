"""A private sshd: own keys, own port, own process, nothing of it left afterwards.

Logs in as the user who runs the tests. With ``network_namespace`` it listens in a namespace of its own, where
ports are free and nobody else's listeners are seen; it is reached through ``nsenter``.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

_SSHD = "/usr/sbin/sshd"


class PrivateSshd:
    """Use as a context manager; ``port``, ``user`` and ``key`` say how to get in."""

    def __init__(
        self,
        directory: Path,
        *,
        network_namespace: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        for tool, package in ((_SSHD, "openssh-server"), ("ssh-keygen", "openssh-client")):
            if shutil.which(tool) is None:
                raise RuntimeError(f"{tool} is missing: apt-get install {package}")
        self.directory = directory
        self.user = getpass.getuser()
        self.port = 22 if network_namespace else _free_port()
        self.key = directory / "user_key"
        self._namespace = network_namespace
        # a home of its own: the login shell's rc files would have their say in PATH
        self._environment = {"HOME": str(directory), **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_key(self.key)
        self.renew_host_key()

    def renew_host_key(self) -> None:
        """Another host key, as after a reinstallation. Takes effect at the next start."""
        for path in (self.directory / "host_key", self.directory / "host_key.pub"):
            path.unlink(missing_ok=True)
        make_key(self.directory / "host_key")

    @property
    def variables(self) -> dict[str, object]:
        """Inventory variables that reach it."""
        values: dict[str, object] = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self.key),
        }
        if self._namespace:
            enter = f"nsenter -t {self.pid} -n socat - TCP:127.0.0.1:22"
            values["ansible_ssh_common_args"] = f"-o 'ProxyCommand={enter}'"
        return values

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def __enter__(self) -> PrivateSshd:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        Path("/run/sshd").mkdir(
            mode=0o755, exist_ok=True
        )  # sshd insists on its chroot for privilege separation
        config = self.directory / "sshd_config"
        authorized = self.directory / "authorized_keys"
        authorized.write_text(self.key.with_suffix(".pub").read_text())
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.directory}/host_key",
            f"AuthorizedKeysFile {authorized}",
            f"PidFile {self.directory}/sshd.pid",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "StrictModes no",
            "UsePAM no",
            "MaxStartups 100",
            "Subsystem sftp internal-sftp",
            # one line: of several, sshd takes the first
            "SetEnv " + " ".join(f"{name}={value}" for name, value in self._environment.items()),
        ]
        config.write_text("\n".join(lines) + "\n")
        command = [_SSHD, "-D", "-e", "-f", str(config)]
        if self._namespace:
            command = ["unshare", "-n", "--", "sh", "-c", f"ip link set lo up && exec {' '.join(command)}"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = ""
        while "Server listening" not in said:
            line = self._process.stderr.readline()
            if not line:
                raise RuntimeError(f"sshd did not start: {said}")
            said += line

    def stop(self) -> None:
        """End it; sessions under way end with their connections."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(timeout=10)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None


def make_key(path: Path) -> None:
    """A fresh ed25519 key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    assert path.stat().st_mode & 0o077 == 0, os.fspath(path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
