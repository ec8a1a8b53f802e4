"""What a lab is: its name, backend, network and hosts, kept as lab.json in its state directory.

Everything a lab acquires on the machine is either below its directory or has a name derived from it (`tag`),
and lab.json is written before the first acquisition. So `lab down` can find all of it after any crash.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from installer.errors import NodestrapError, UsageError
from installer.lab import paths

MARKER = "NODESTRAP_LAB"
"""Environment variable of every process a lab starts; its value is the lab's directory."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
_FORMAT = 1


@dataclass(frozen=True)
class Host:
    """One lab host."""

    name: str
    index: int
    """From 1; the host's place in the subnet."""
    address: str
    """Where the controller reaches its sshd."""
    port: int = 22


@dataclass(frozen=True)
class Lab:
    """One lab. `subnet` is what its hosts share, in CIDR notation."""

    name: str
    backend: str
    subnet: str
    inventory: Path
    hosts: tuple[Host, ...]

    @property
    def directory(self) -> Path:
        """State directory; removed by `lab down`."""
        return directory_of(self.name)

    @property
    def tag(self) -> str:
        """Six hexadecimal digits, unique to the directory, for names with a length limit."""
        return tag_of(self.directory)

    @property
    def bridge(self) -> str:
        """The lab's bridge on this machine (nspawn)."""
        return f"nslab-{self.tag}"

    @property
    def gateway(self) -> str:
        """The machine's own address on the bridge."""
        return self.address_of(1)

    @property
    def known_hosts(self) -> Path:
        """OpenSSH known_hosts with every host's key."""
        return self.directory / "known_hosts"

    @property
    def private_key(self) -> Path:
        """Root's key on every host."""
        return self.directory / "id_ed25519"

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`: every host by its name."""
        return self.directory / "ssh_config"

    def address_of(self, number: int) -> str:
        """The subnet's address number `number`."""
        return str(ipaddress.ip_network(self.subnet)[number])

    def directory_of(self, host: Host) -> Path:
        """What belongs to one host only."""
        return self.directory / "hosts" / host.name

    def host(self, name: str) -> Host:
        """The host called `name`. Raises UsageError that lists the others when there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        names = ", ".join(host.name for host in self.hosts)
        raise UsageError(f"Lab {self.name!r} has no host {name!r}.", fix=f"Its hosts are {names}.")

    def save(self) -> None:
        """Write lab.json, atomically."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        raw = {**asdict(self), "format": _FORMAT, "inventory": str(self.inventory)}
        scratch = self.directory / "lab.json.new"
        scratch.write_text(json.dumps(raw, indent=2) + "\n")
        scratch.replace(self.directory / "lab.json")


def load(name: str) -> Lab | None:
    """The lab called `name`, or None. Raises NodestrapError when its lab.json is of another format."""
    path = directory_of(name) / "lab.json"
    try:
        raw: dict[str, Any] = json.loads(path.read_text())
        if raw["format"] != _FORMAT:
            raise ValueError(f"format {raw['format']}")
        hosts = tuple(Host(**host) for host in raw["hosts"])
        return Lab(raw["name"], raw["backend"], raw["subnet"], Path(raw["inventory"]), hosts)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise NodestrapError(
            f"{path} is not a lab of this version: {error}", fix=f"nodestrap lab down --name {name}"
        ) from error


def require(name: str) -> Lab:
    """The lab called `name`. Raises UsageError when there is none."""
    lab = load(check_name(name))
    if lab is None:
        others = ", ".join(names())
        raise UsageError(
            f"There is no lab {name!r}.",
            fix=f"nodestrap lab up --name {name}" + (f" (there are: {others})" if others else ""),
        )
    return lab


def names() -> list[str]:
    """Names of all labs, those that a crash left half made included."""
    root = paths.state_root()
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []


def directory_of(name: str) -> Path:
    """State directory of the lab called `name`, whether it exists or not."""
    return paths.state_root() / name


def tag_of(directory: Path) -> str:
    """The tag that a lab in `directory` has."""
    return hashlib.sha256(str(directory).encode()).hexdigest()[:6]


def check_name(name: str) -> str:
    """`name`, if it can name a lab. Raises UsageError otherwise."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a lab.",
            fix="Use a lower-case letter, then at most 29 lower-case letters, digits and dashes.",
        )
    return name
