"""What the probe saw on a host, typed. What could not be seen is None or empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from installer.verify.node_files import NodeFiles

_FRESH = 600.0  # seconds: an older line of a journal may tell of a trouble that is over


@dataclass(frozen=True)
class Filesystem:
    size_bytes: int
    free_bytes: int
    free_inodes: int | None
    read_only: bool


@dataclass(frozen=True)
class Unit:
    """A systemd unit, in systemctl's words."""

    active: str  # active, activating, inactive, failed
    sub: str
    result: str
    restarts: int
    active_seconds: float | None  # how long it has been active

    @property
    def steady(self) -> bool:
        """Whether it runs, and not just between two crashes."""
        return self.active == "active" and (self.active_seconds or 0) > 10


@dataclass(frozen=True)
class Container:
    """The newest container of its name in its pod."""

    name: str
    pod: str
    namespace: str
    state: str  # created, running, exited
    attempt: int
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """What a CRI socket says of itself."""

    error: str | None = None  # it answers, but not in the CRI's terms
    runtime: str = ""
    conditions: Mapping[str, tuple[bool, str, str]] = field(default_factory=dict)  # status, reason, message
    sandbox_image: str | None = None
    sandbox_image_present: bool | None = None
    cgroup_driver: str | None = None
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True)
class Failure:
    """How nodestrap's last run ended on this host, when it failed there."""

    step: str
    reason: str


@dataclass(frozen=True)
class Evidence:
    """One host at one moment."""

    host: str
    is_control_plane: bool
    now: float  # the controller's clock, seconds since the epoch
    clock_ahead: float  # seconds that the host's clock is ahead of the reference
    clock_error: float  # how far off that may be
    clock_reference: str  # "the controller", "the other hosts"
    cgroup_version: int | None
    filesystems: Mapping[str, Filesystem]
    listening: Mapping[int, str]
    swaps: tuple[str, ...]
    units: Mapping[str, Unit]
    journals: Mapping[str, tuple[tuple[float, str], ...]]  # (the host's clock, message)
    files: NodeFiles
    manifests: frozenset[str]
    present: frozenset[str]
    certificates: Mapping[str, tuple[str, ...]]
    kubelet_version: tuple[int, ...] | None
    runc_version: str | None
    configured_endpoint: str | None  # what the kubelet is told to use
    sockets: Mapping[str, str]  # path: answers, missing, no socket, or an error
    endpoints: Mapping[str, Endpoint]
    last_failure: Failure | None = None
    failed: Mapping[str, str] = field(default_factory=dict)  # what could not be looked at

    @property
    def endpoint(self) -> Endpoint | None:
        """The kubelet's endpoint, or pycri's where no kubelet is set up; None when it does not answer."""
        return self.endpoints.get(self.configured_endpoint or PYCRI)

    @property
    def runs_control_plane(self) -> bool:
        return bool(self.manifests)

    def container(self, name: str) -> Container | None:
        """A static pod's container: ``etcd``, ``kube-apiserver``."""
        found = [
            item
            for item in (self.endpoint.containers if self.endpoint else ())
            if item.name == name and item.namespace == "kube-system" and item.pod.startswith(f"{name}-")
        ]
        return found[0] if found else None

    def lines(self, unit: str) -> tuple[str, ...]:
        """The unit's journal, without what it said before it last came up for good, and what is old."""
        unit_state = self.units.get(unit)
        host_now = self.now + self.clock_ahead
        since = host_now - _FRESH
        if unit_state is not None and unit_state.steady:
            since = max(since, host_now - (unit_state.active_seconds or 0) - 5)
        return tuple(message for seconds, message in self.journals.get(unit, ()) if seconds >= since)

    def line(self, unit: str, pattern: str) -> str | None:
        """The last of these lines in which ``pattern`` is found, whatever the case of its letters."""
        found = re.compile(pattern, re.IGNORECASE)
        return next((quoted(unit, text) for text in reversed(self.lines(unit)) if found.search(text)), None)


PYCRI = "/run/pycri/pycri.sock"
KUBELET = "kubelet.service"


def quoted(source: str, text: str) -> str:
    """``kubelet: what it said``, on one line."""
    return f"{source.removesuffix('.service')}: {' '.join(text.split())[:300]}"


def log_line(container: Container, pattern: str = r"fatal|panic|error|fail|refused|no space") -> str:
    """The last line of a dead container's log that says why, or its last one at all, or its exit."""
    wanted = re.compile(pattern, re.IGNORECASE)
    lines = [line for line in container.log if line.strip()]
    line = next((line for line in reversed(lines) if wanted.search(line)), lines[-1] if lines else "")
    said = line or container.message or container.reason or "it left no log"
    return quoted(f"{container.name} (exit code {container.exit_code})", said)


def evidence_from_answer(
    answer: Mapping[str, Any],
    *,
    host: str,
    is_control_plane: bool,
    now: float,
    clock_ahead: float = 0.0,
    clock_error: float = 0.0,
    clock_reference: str = "the controller",
    last_failure: Failure | None = None,
) -> Evidence:
    """Type the probe's answer; ``now`` is the controller's clock at its middle."""
    return Evidence(
        host=host,
        is_control_plane=is_control_plane,
        now=now,
        clock_ahead=clock_ahead,
        clock_error=clock_error,
        clock_reference=clock_reference,
        cgroup_version=answer.get("cgroup_version"),
        filesystems={path: Filesystem(**each) for path, each in (answer.get("filesystems") or {}).items()},
        listening={int(port): name for port, name in (answer.get("listening") or {}).items()},
        swaps=tuple(answer.get("swaps") or ()),
        units={name: _unit(each) for name, each in (answer.get("units") or {}).items()},
        journals={
            name: tuple((float(seconds), str(text)) for seconds, text in lines)
            for name, lines in (answer.get("journals") or {}).items()
        },
        files=NodeFiles(dict(answer.get("settings") or {})),
        manifests=frozenset(answer.get("manifests") or ()),
        present=frozenset(answer.get("present") or ()),
        certificates={path: tuple(each) for path, each in (answer.get("certificates") or {}).items()},
        kubelet_version=_version(answer.get("kubelet_version")),
        runc_version=answer.get("runc_version"),
        configured_endpoint=answer.get("configured_endpoint"),
        sockets=dict(answer.get("sockets") or {}),
        endpoints={path: _endpoint(each) for path, each in (answer.get("endpoints") or {}).items()},
        last_failure=last_failure,
        failed=dict(answer.get("failed") or {}),
    )


def _unit(values: Mapping[str, Any]) -> Unit:
    return Unit(
        active=values.get("ActiveState", ""),
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        restarts=int(values.get("NRestarts") or 0),
        active_seconds=values.get("active_seconds"),
    )


def _endpoint(values: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        error=values.get("error"),
        runtime=values.get("runtime", ""),
        conditions={
            name: (bool(each[0]), str(each[1]), str(each[2]))
            for name, each in (values.get("conditions") or {}).items()
        },
        sandbox_image=values.get("sandbox_image"),
        sandbox_image_present=values.get("sandbox_image_present"),
        cgroup_driver=values.get("cgroup_driver"),
        containers=tuple(_container(each) for each in values.get("containers") or ()),
    )


def _container(values: Mapping[str, Any]) -> Container:
    return Container(
        name=values.get("name", ""),
        pod=values.get("pod", ""),
        namespace=values.get("namespace", ""),
        state=values.get("state", ""),
        attempt=int(values.get("attempt") or 0),
        exit_code=values.get("exit_code"),
        reason=values.get("reason", ""),
        message=values.get("message", ""),
        log=tuple(values.get("log") or ()),
    )


def _version(text: str | None) -> tuple[int, ...] | None:
    """(1, 20, 2) of ``Kubernetes v1.20.2``."""
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", text or "")
    return tuple(int(part) for part in found.groups()) if found else None
