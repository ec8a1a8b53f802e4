"""What a cause's file says about a host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from installer.doctor.evidence import Evidence


class Weight(StrEnum):
    CAUSE = "cause"  # the host is sick of this
    WARNING = "warning"  # it is not sick of it yet, or this alone makes it no worse


@dataclass(frozen=True)
class Finding:
    """A reason in words, the line that proves it, and what to do."""

    weight: Weight
    reason: str
    evidence: str
    fix: str


Diagnose = Callable[[Evidence], Iterator[Finding]]


def cause(reason: str, evidence: str, fix: str) -> Finding:
    return Finding(Weight.CAUSE, reason, evidence, fix)


def warning(reason: str, evidence: str, fix: str) -> Finding:
    return Finding(Weight.WARNING, reason, evidence, fix)
