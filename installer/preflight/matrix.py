"""Every check on every host, in one pass: the user sees all failures at once, each with its fix."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from installer.cluster.spec import HostSpec
from installer.errors import InventoryError, UsageError
from installer.kubeadm.from_inventory import node_addresses
from installer.preflight.checks import (
    adjacency,
    capabilities,
    cgroups,
    clock,
    container_runtime,
    disk_space,
    facts,
    identity,
    kernel_modules,
    memory,
    operating_system,
    overlayfs,
    ports,
    privileges,
    python,
    runc,
    swap,
)
from installer.preflight.finding import Check, Finding, Severity, Subject
from installer.suggest import did_you_mean

CHECKS: Final[dict[str, Check]] = {
    "facts": facts.check,
    "os": operating_system.check,
    "python": python.check,
    "privileges": privileges.check,
    "cgroups": cgroups.check,
    "modules": kernel_modules.check,
    "overlayfs": overlayfs.check,
    "swap": swap.check,
    "ports": ports.check,
    "disk": disk_space.check,
    "memory": memory.check,
    "clock": clock.check,
    "identity": identity.check,
    "runtime": container_runtime.check,
    "runc": runc.check,
    "capabilities": capabilities.check,
    "adjacency": adjacency.check,
}


@dataclass(frozen=True)
class CheckResult:
    """One cell of the matrix: no finding means passed."""

    host: str
    check: str
    findings: tuple[Finding, ...] = ()
    skipped: bool = False

    @property
    def failed(self) -> bool:
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def run_matrix(hosts: Iterable[HostSpec], skip: Collection[str] = ()) -> list[CheckResult]:
    """Run all checks but those of ``skip`` (and a host's own nodestrap_skip_checks) on hosts that have
    facts."""
    known = [host for host in hosts if host.facts is not None]
    everyone = {host.name: host.facts for host in known if host.facts is not None}
    addresses = _addresses(known)
    results = []
    for host in known:
        assert host.facts is not None  # selected above
        skipped = check_names([*skip, *(host.variables.get("nodestrap_skip_checks") or ())], host.name)
        subject = Subject(host, host.facts, everyone, addresses)
        for name, check in CHECKS.items():
            if name in skipped:
                results.append(CheckResult(host.name, name, skipped=True))
            else:
                results.append(CheckResult(host.name, name, tuple(check(subject))))
    return results


def _addresses(hosts: Iterable[HostSpec]) -> dict[str, tuple[str, ...]]:
    """Those that hosts will have as nodes; where only a name is known, the phase `cluster` complains."""
    found = {}
    for host in hosts:
        with suppress(InventoryError):
            found[host.name] = node_addresses(host)
    return found


def by_finding(results: Iterable[CheckResult]) -> dict[tuple[str, Finding], list[str]]:
    """Each (check, finding) once, with the hosts that have it: clones of one image share most."""
    hosts: dict[tuple[str, Finding], list[str]] = {}
    for result in results:
        for finding in result.findings:
            hosts.setdefault((result.check, finding), []).append(result.host)
    return hosts


def check_names(names: Iterable[str], host: str | None = None) -> frozenset[str]:
    """The names as a set; UsageError for one that is no check."""
    wanted = frozenset(map(str, names))
    for name in sorted(wanted - set(CHECKS)):
        raise UsageError(
            f"there is no preflight check {name!r}.{did_you_mean(name, CHECKS)}",
            host=host,
            fix=f"the checks are {', '.join(CHECKS)}",
        )
    return wanted
