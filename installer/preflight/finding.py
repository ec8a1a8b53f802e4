"""What a check says about a host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from installer.cluster.facts import HostFacts
from installer.cluster.spec import HostSpec


class Severity(StrEnum):
    ERROR = "error"  # the host cannot become a node, or would be a broken one
    WARNING = "warning"  # it can, with a limit worth knowing


@dataclass(frozen=True)
class Finding:
    severity: Severity
    reason: str
    fix: str


@dataclass(frozen=True)
class Subject:
    """One host, and what a comparison between hosts needs: the facts of all that answered, by name."""

    host: HostSpec
    facts: HostFacts
    everyone: Mapping[str, HostFacts]
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # as nodes, where they are known


Check = Callable[[Subject], Iterator[Finding]]


def error(reason: str, fix: str) -> Finding:
    return Finding(Severity.ERROR, reason, fix)


def warning(reason: str, fix: str) -> Finding:
    return Finding(Severity.WARNING, reason, fix)
