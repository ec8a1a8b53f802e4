"""One host's state, asked in one round trip and read-only: what is installed, what runs, in which version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from installer.errors import ConnectError

if TYPE_CHECKING:
    from installer.ssh.connection import Connection

UNITS: Final = (
    "containerd.service",
    "pycri-io.service",
    "pycri.service",
    "kubelet.service",
    "nodestrap-pod-network.service",
)
_SCRIPT: Final = f"""
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
for path in /var/lib/nodestrap/receipts/*.json; do
  test -e "$path" && echo "receipt $(basename "$path" .json)"
done
test -e /etc/kubernetes/kubelet.conf && echo "file joined"
test -e /etc/kubernetes/admin.conf && echo "file admin"
test -e /var/lib/nodestrap/kubeadm-started && echo "file unfinished"
test -S /run/pycri/pycri.sock && echo "file socket"
echo "version containerd $(containerd --version 2>/dev/null | cut -d' ' -f3)"
echo "version runc $(runc --version 2>/dev/null | sed -n 's/^runc version //p')"
echo "version pycri $(pycri --version 2>/dev/null | cut -d' ' -f2)"
echo "version kubelet $(kubelet --version 2>/dev/null | cut -d' ' -f2)"
systemctl show --property Id,LoadState,ActiveState,SubState,NRestarts {" ".join(UNITS)} 2>/dev/null |
  sed 's/^/unit /'
true
"""


@dataclass(frozen=True)
class UnitState:
    active: str  # active, inactive, failed, activating, …
    detail: str  # running, dead, auto-restart, …
    restarts: int


@dataclass(frozen=True)
class HostStatus:
    """What a host said. ``error`` instead of everything else when it could not be asked."""

    error: str | None = None
    fix: str | None = None
    receipts: frozenset[str] = frozenset()
    joined: bool = False  # it has a kubelet's credentials
    admin: bool = False  # it is a control plane
    unfinished: bool = False  # kubeadm was cut short
    socket: bool = False  # pycri's
    versions: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, UnitState] = field(default_factory=dict)  # those that the host has
    conditions: Mapping[str, str] = field(default_factory=dict)  # of the CRI that do not hold: why

    @property
    def phases(self) -> tuple[str, ...]:
        """How far nodestrap has brought it."""
        done = {
            "runtime": "pycri" in self.receipts,
            "kubernetes": "kubelet" in self.receipts,
            "joined": self.joined and not self.unfinished,
        }
        return tuple(name for name, reached in done.items() if reached)


def probe(connection: Connection) -> HostStatus:
    """Ask one host. Raises ConnectError."""
    answer = connection.run(["sh", "-c", _SCRIPT], timeout=30)
    if answer.status != 0:
        reason = answer.stderr.decode(errors="replace").strip()
        raise ConnectError(f"its state cannot be read: {reason}", host=connection.host, step="status")
    return parse(answer.stdout.decode(errors="replace"))


def parse(text: str) -> HostStatus:
    """The probe's answer, typed; what is not understood is left out."""
    words = [line.split(" ", 1) for line in text.splitlines()]
    values: dict[str, list[str]] = {}
    for word in words:
        if len(word) == 2:
            values.setdefault(word[0], []).append(word[1].strip())
    files = set(values.get("file", ()))
    versions = (each.split(" ", 1) for each in values.get("version", ()))
    return HostStatus(
        receipts=frozenset(values.get("receipt", ())),
        joined="joined" in files,
        admin="admin" in files,
        unfinished="unfinished" in files,
        socket="socket" in files,
        versions={pair[0]: pair[1].removeprefix("v") for pair in versions if len(pair) == 2},
        units=dict(_units(values.get("unit", ()))),
    )


def _units(lines: Any) -> Iterator[tuple[str, UnitState]]:
    """systemctl's properties, unit after unit; it prints Id somewhere among a unit's own."""
    block: dict[str, str] = {}
    for line in [*lines, "LoadState="]:
        name, _, value = line.partition("=")
        if name in block or not value:
            if block.get("Id") and block.get("LoadState") != "not-found":
                restarts = block.get("NRestarts", "0")
                yield (
                    block["Id"],
                    UnitState(
                        block.get("ActiveState", "unknown"),
                        block.get("SubState", "unknown"),
                        int(restarts) if restarts.isdigit() else 0,
                    ),
                )
            block = {}
        if value:
            block[name] = value
