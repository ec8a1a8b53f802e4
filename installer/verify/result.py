"""Results of checks, and of a run over one endpoint; and the exit code that they mean together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from installer.errors import EXIT_CONNECT, EXIT_OK, EXIT_VERIFY
from installer.verify.check import Check


class Outcome(Enum):
    """How a check ended."""

    PASSED = "pass"
    FAILED = "fail"
    SKIPPED = "skip"


@dataclass(frozen=True)
class Result:
    """One check's outcome on one endpoint."""

    id: str
    tier: int
    title: str
    proves: str
    outcome: Outcome
    evidence: str
    """What was seen: the proof, the failure, or the reason for skipping."""
    fix: str | None
    """For a failure: what to do about it."""
    seconds: float
    behind: str | None = None
    """The failed gate that kept the check from running."""

    @classmethod
    def behind_gate(cls, check: Check, gate: str) -> Result:
        """Skipped because the check called `gate` failed."""
        return replace(cls.of(check, Outcome.SKIPPED, f"{gate} failed"), behind=gate)

    @classmethod
    def of(
        cls, check: Check, outcome: Outcome, evidence: str, *, seconds: float = 0.0, fix: str | None = None
    ) -> Result:
        """The result of `check`; the fix is kept for failures only."""
        return cls(
            id=check.id,
            tier=check.tier,
            title=check.title,
            proves=check.proves,
            outcome=outcome,
            evidence=evidence,
            fix=(fix or check.fix) if outcome is Outcome.FAILED else None,
            seconds=seconds,
        )

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self) | {"outcome": self.outcome.value, "seconds": round(self.seconds, 3)}


@dataclass
class EndpointReport:
    """Everything said about one endpoint."""

    host: str
    endpoint: str
    runtime: str = ""
    """Name and version that the endpoint gives itself, and the API it was spoken to in."""
    results: list[Result] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    """What the run made and could not remove again, with the reason."""
    error: str | None = None
    """Why the endpoint could not be reached at all."""
    fix: str | None = None
    """What to do about that."""
    seconds: float = 0.0

    def count(self, outcome: Outcome) -> int:
        """How many checks ended so."""
        return sum(result.outcome is outcome for result in self.results)

    @property
    def failed_tier(self) -> int | None:
        """The lowest tier with a failure; leftovers count for the highest tier that ran."""
        failed = [result.tier for result in self.results if result.outcome is Outcome.FAILED]
        if self.leftovers:
            failed.append(max((result.tier for result in self.results), default=1))
        return min(failed, default=None)

    @property
    def exit_code(self) -> int:
        """0, 3 for an unreachable host, or the code of the lowest failed tier."""
        if self.error is not None:
            return EXIT_CONNECT
        return EXIT_OK if self.failed_tier is None else EXIT_VERIFY[f"T{self.failed_tier}"]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "host": self.host,
            "endpoint": self.endpoint,
            "runtime": self.runtime,
            "passed": self.count(Outcome.PASSED),
            "failed": self.count(Outcome.FAILED),
            "skipped": self.count(Outcome.SKIPPED),
            "seconds": round(self.seconds, 3),
            "error": self.error,
            "fix": self.fix,
            "leftovers": self.leftovers,
            "exit_code": self.exit_code,
            "checks": [result.as_dict() for result in self.results],
        }


def exit_code(reports: Iterable[EndpointReport]) -> int:
    """The exit code of a run: the lowest failed tier of any endpoint; an unreached host outranks them."""
    return min((code for report in reports if (code := report.exit_code)), default=EXIT_OK)
