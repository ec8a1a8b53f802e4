"""A registry for lab hosts and tests: Debian's docker-registry, plain HTTP, on one address of this machine.

    with Registry(tmp_path) as registry:            # or registry.start("10.77.0.1:5000"), then stop()
        push_standard_images(registry.address)

Everything it writes is below its root. It outlives the process that started it; `Registry(root).stop()`
from any later process ends it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from installer.errors import NodestrapError
from installer.lab import processes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_READY_SECONDS = 20.0


class Registry:
    """One docker-registry process and its files."""

    def __init__(self, root: Path, *, environment: Mapping[str, str] | None = None) -> None:
        """Keep everything below `root`; `environment` is added to the process's own."""
        self.root = Path(root)
        self._environment = {**os.environ, **(environment or {})}
        self._pid_file = self.root / "registry.pid"
        self._address_file = self.root / "address"
        self.log = self.root / "registry.log"

    @property
    def address(self) -> str:
        """host:port it listens on. Raises NodestrapError when it was never started."""
        try:
            return self._address_file.read_text().strip()
        except FileNotFoundError:
            raise NodestrapError(
                f"The registry in {self.root} was never started.", fix="Call start() first."
            ) from None

    @property
    def url(self) -> str:
        """Base URL, as hosts.toml wants it."""
        return f"http://{self.address}"

    def running(self) -> bool:
        """Whether its process is alive."""
        identity = processes.ProcessId.load(self._pid_file)
        return identity is not None and identity.alive()

    def start(self, address: str = "127.0.0.1:0", *, users: Mapping[str, str] | None = None) -> str:
        """Run the registry on `address` and return the address once it answers; port 0 takes a free one.

        `users` maps names to passwords: when given, every request needs one of them (HTTP basic).
        Starting one that already runs on the same address changes nothing.
        Raises NodestrapError when the binary is missing, the address taken, or it does not become ready.
        """
        binary = shutil.which("docker-registry")
        if binary is None:
            raise NodestrapError("docker-registry is not installed.", fix="apt-get install docker-registry")
        if self.running():
            if address in (self.address, _with_port(address, self.address)):
                return self.address
            self.stop()
        self.root.mkdir(parents=True, exist_ok=True)
        address = _free_address(address)
        config = self.root / "config.yml"
        config.write_text(yaml.safe_dump(_config(self.root, address, users)))
        self.log.write_text("")
        self._address_file.write_text(address + "\n")
        identity = processes.spawn([binary, "serve", str(config)], log=self.log, env=self._environment)
        identity.save(self._pid_file)
        self._await_ready(identity, address)
        return address

    def stop(self) -> None:
        """End the process if it runs; the stored images stay. Raises NodestrapError when it will not die."""
        identity = processes.ProcessId.load(self._pid_file)
        if identity is not None and not processes.stop(identity):
            raise NodestrapError(
                f"The registry process {identity.pid} does not end.",
                fix=f"Look at it with: ps -fp {identity.pid}",
            )
        self._pid_file.unlink(missing_ok=True)

    def __enter__(self) -> Registry:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _await_ready(self, identity: processes.ProcessId, address: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers(f"http://{address}/v2/"):
            dead = not identity.alive()
            if dead or time.monotonic() > deadline:
                self.stop()
                tail = " | ".join(self.log.read_text(errors="replace").splitlines()[-3:])
                what = "ended at once" if dead else f"did not answer within {_READY_SECONDS:.0f} s"
                raise NodestrapError(
                    f"The registry on {address} {what}: {tail or 'no output'}", fix=f"Its log is {self.log}."
                )
            time.sleep(0.02)


def _config(root: Path, address: str, users: Mapping[str, str] | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(root / "data")},
            "cache": {"blobdescriptor": "inmemory"},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": address, "secret": secrets.token_hex(16)},
    }
    if users is not None:
        htpasswd = root / "htpasswd"
        htpasswd.touch(mode=0o600)
        htpasswd.write_text("".join(f"{name}:{_bcrypt(password)}\n" for name, password in users.items()))
        config["auth"] = {"htpasswd": {"realm": "lab", "path": str(htpasswd)}}
    return config


def _bcrypt(password: str) -> str:
    import bcrypt  # paramiko's dependency; only a registry with users needs it

    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def _with_port(wanted: str, running: str) -> str:
    """`wanted` with port 0 filled in from `running`."""
    host, _, port = wanted.rpartition(":")
    return f"{host}:{running.rpartition(':')[2]}" if port == "0" else wanted


def _free_address(address: str) -> str:
    """`address` with port 0 replaced by a free port. Raises NodestrapError when the address is taken."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_server((host, int(port))) as probe:
            return f"{host}:{probe.getsockname()[1]}"
    except (OSError, ValueError) as error:
        raise NodestrapError(
            f"The registry cannot listen on {address}: {error}",
            fix=f"See what has it with: ss -ltnp 'sport = :{port}'",
        ) from error


def _answers(url: str) -> bool:
    # No proxy from the environment: the registry is always on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        with error:
            return error.code == 401  # it wants a user: it is up
    except OSError:
        return False
