"""`nodestrap lab list`: what labs there are, whether their hosts run, and what is installed on them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from installer.errors import NodestrapError
from installer.lab import ssh, state
from installer.lab.backend import backend
from installer.lab.registry import Registry

if TYPE_CHECKING:
    from installer.lab.state import Host, Lab


@dataclass(frozen=True)
class HostReport:
    """One host as it is now."""

    name: str
    address: str
    port: int
    running: bool
    packages: tuple[str, ...] | None = None
    """`name version` of every installed package; None when not asked for or not running."""


@dataclass(frozen=True)
class LabReport:
    """One lab as it is now; `broken` says why a half-made one cannot be read."""

    name: str
    backend: str = ""
    subnet: str = ""
    registry: str = ""
    inventory: str = ""
    hosts: tuple[HostReport, ...] = field(default_factory=tuple)
    broken: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        hosts = [{**vars(host), "packages": host.packages and list(host.packages)} for host in self.hosts]
        return {**vars(self), "hosts": hosts}


def list_labs(*, packages: bool) -> list[LabReport]:
    """Every lab of this user; with `packages`, running hosts are asked what is installed."""
    return [_report(name, packages) for name in state.names()]


def _report(name: str, packages: bool) -> LabReport:
    try:
        lab = state.load(name)
    except NodestrapError as error:
        return LabReport(name, broken=str(error))
    if lab is None:
        return LabReport(name, broken="it was never finished")
    registry = Registry(lab.directory / "registry")
    with ThreadPoolExecutor(max_workers=len(lab.hosts)) as pool:
        hosts = tuple(pool.map(lambda host: _host(lab, host, packages), lab.hosts))
    return LabReport(
        name,
        lab.backend,
        lab.subnet,
        registry.address if registry.running() else "",
        str(lab.inventory),
        hosts,
    )


def _host(lab: Lab, host: Host, packages: bool) -> HostReport:
    running = backend(lab.backend).running(lab, host)
    installed = None
    if running and packages:
        answer = ssh.ask(lab, host, "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'")
        installed = tuple(line[4:].strip() for line in answer.splitlines() if line.startswith("ii"))
    return HostReport(host.name, host.address, host.port, running, installed)
