"""What the user asked for: one frozen value, read from the inventory before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from installer.cluster.facts import HostFacts
    from installer.ssh.settings import ConnectionSettings

CONTROL_PLANE = "control_plane"
WORKERS = "workers"
NODES = "nodes"  # the parent of both


@dataclass(frozen=True)
class HostSpec:
    """One host of the inventory: how to reach it, what it shall become, and its variables, templated."""

    name: str
    groups: frozenset[str]
    connection: ConnectionSettings
    variables: Mapping[str, Any] = field(repr=False)  # may hold secrets from a vault
    facts: HostFacts | None = None  # what the probe found; None before the phase "preflight" (and in tests)

    @property
    def is_control_plane(self) -> bool:
        return CONTROL_PLANE in self.groups


@dataclass(frozen=True)
class ClusterSpec:
    """The hosts to work on and the settings of the cluster they form."""

    name: str
    inventory: tuple[str, ...]
    hosts: tuple[HostSpec, ...]
    excluded: tuple[str, ...]  # left out by --limit
    unmatched: tuple[str, ...]  # in the inventory, but in neither control_plane nor workers
    known_hosts_file: Path
    state_dir: Path  # journal, logs, lock and, by default, known_hosts
    secrets: frozenset[str] = field(default=frozenset(), repr=False)  # values that no log may show
    vault_password_files: tuple[str, ...] = ()

    def host(self, name: str) -> HostSpec:
        """The host called ``name``; KeyError when the inventory has none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)
