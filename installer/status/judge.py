"""How a host is, from what it said, what its cluster says of it, and what the journal remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from installer.control_plane.observe import ClusterState
from installer.errors import EXIT_CONNECT, EXIT_OK, EXIT_VERIFY
from installer.status.probe import HostStatus

# A unit that must run once this receipt is there, and, for the kubelet, once the host has joined.
_UNITS_OF_RECEIPTS: Final = {
    "containerd": ("containerd.service",),
    "pycri": ("pycri-io.service", "pycri.service"),
    "pod_network": ("nodestrap-pod-network.service",),
}


@dataclass(frozen=True)
class Verdict:
    """``health`` in one word; ``problems`` say what is wrong, and ``exit_code`` what a script makes of it."""

    health: str  # down, bare, runtime, ready, sick
    problems: tuple[str, ...] = ()
    exit_code: int = EXIT_OK


def judge(status: HostStatus, node: str, cluster: ClusterState) -> Verdict:
    """Judge one host; ``node`` is its name in the cluster."""
    if status.error is not None:
        return Verdict("down", (status.error,), EXIT_CONNECT)
    below = (*_of_units(status), *(f"{name}: {why}" for name, why in status.conditions.items()))
    above = tuple(_of_node(status, node, cluster))
    if below or above:
        return Verdict("sick", (*below, *above), EXIT_VERIFY["T0"] if below else EXIT_VERIFY["T3"])
    if status.joined:
        return Verdict("ready")
    return Verdict("runtime" if "pycri" in status.receipts else "bare")


def _of_units(status: HostStatus) -> tuple[str, ...]:
    wanted = [
        unit for receipt, units in _UNITS_OF_RECEIPTS.items() if receipt in status.receipts for unit in units
    ]
    if status.joined and not status.unfinished:
        wanted.append("kubelet.service")
    found = []
    for unit in wanted:
        state = status.units.get(unit)
        if state is None:
            found.append(f"{unit} is not there")
        elif state.active not in ("active", "reloading"):
            found.append(f"{unit} is {state.active} ({state.detail}), restarted {state.restarts} times")
    if "pycri" in status.receipts and not status.socket and not any("pycri" in each for each in found):
        found.append("pycri has no socket at /run/pycri/pycri.sock")
    return tuple(found)


def _of_node(status: HostStatus, node: str, cluster: ClusterState) -> tuple[str, ...]:
    if status.unfinished:
        return ("kubeadm was cut short: run `nodestrap up` again",)
    if not status.joined:
        return ()
    if cluster.control_plane is None:
        return (f"no API server answers: {cluster.complaint or 'no control plane was reached'}",)
    known = cluster.nodes.get(node)
    if known is None:
        return (f"the cluster does not know the node {node}",)
    return () if known.ready else (f"the node is not ready: {known.reason}",)


def last_runs(journal: Any) -> dict[str, dict[str, Any]]:
    """What the journal last says of each host: ``{host: {time, command, phase, state}}``."""
    found: dict[str, dict[str, Any]] = {}
    commands: dict[str, str] = {}
    for entry in journal:
        run = str(entry.get("run"))
        if entry.get("event") == "run":
            commands[run] = str(entry.get("command"))
        elif entry.get("event") == "host":
            found[str(entry.get("host"))] = {
                "time": entry.get("time"),
                "command": commands.get(run, "?"),
                "phase": entry.get("phase"),
                "state": entry.get("state"),
            }
    return found


def as_dict(
    host: str, role: str, status: HostStatus, verdict: Verdict, last: Mapping[str, Any] | None
) -> dict[str, Any]:
    """One host for ``--json``."""
    return {
        "host": host,
        "role": role,
        "health": verdict.health,
        "problems": list(verdict.problems),
        "fix": status.fix,
        "phases": list(status.phases),
        "versions": dict(status.versions),
        "units": {
            name: {"active": unit.active, "detail": unit.detail, "restarts": unit.restarts}
            for name, unit in status.units.items()
        },
        "last_run": dict(last) if last else None,
    }
