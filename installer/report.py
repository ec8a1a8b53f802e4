"""How a run ended: every host in exactly one state, and the exit code that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from installer.effects import Effect
from installer.errors import EXIT_CONVERGE, EXIT_OK, EXIT_USAGE

if TYPE_CHECKING:
    from installer.verify.result import Result


class HostState(StrEnum):
    OK = "ok"  # reached, and as it should be: nothing had to change
    CHANGED = "changed"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"  # in the inventory, but nothing was done with it


@dataclass(frozen=True)
class HostOutcome:
    """One line of the report. ``step``, ``reason`` and ``fix`` say why a host is neither ok nor changed."""

    host: str
    state: HostState
    changed: int = 0  # tasks, and objects of the cluster, that changed
    tasks: int = 0  # that ran
    skipped_tasks: int = 0
    step: str | None = None
    reason: str | None = None
    fix: str | None = None
    exit_code: int = EXIT_OK
    effects: tuple[Effect, ...] = ()  # what changed, or in check mode would

    @property
    def headline(self) -> str:
        """The reason's first line: some bring a journal along."""
        return (self.reason or "").partition("\n")[0]

    def as_dict(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "state": self.state.value,
            "changed": self.changed,
            "tasks": self.tasks,
            "skipped_tasks": self.skipped_tasks,
            "step": self.step,
            "reason": self.reason,
            "fix": self.fix,
        }

    def in_report(self) -> dict[str, Any]:
        """With what changed, which the journal does without."""
        changes = [effect.as_dict() for effect in self.effects if effect.kind != "remaining"]
        remaining = [
            {"name": effect.name, "reason": effect.note}
            for effect in self.effects
            if effect.kind == "remaining"
        ]
        return self.as_dict() | {"changes": changes, "remaining": remaining}


@dataclass(frozen=True)
class Report:
    """The result of one run."""

    command: str
    cluster: str
    outcomes: tuple[HostOutcome, ...]
    excluded: tuple[str, ...] = ()  # by --limit: the user's own wish, no failure
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)  # seconds each
    verified: tuple[tuple[str, Result], ...] = ()  # host and check, where the run ended with a proof
    log_file: str | None = None
    check: bool = False

    @property
    def exit_code(self) -> int:
        """0 when every host is ok or changed; otherwise that of the earliest thing that went wrong."""
        codes = [_code(outcome) for outcome in self.outcomes]
        return min((code for code in codes if code != EXIT_OK), default=EXIT_OK)

    def as_dict(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "cluster": self.cluster,
            "check": self.check,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 2),
            "phases": {name: round(seconds, 2) for name, seconds in self.phases.items()},
            "hosts": [outcome.in_report() for outcome in self.outcomes],
            "excluded": list(self.excluded),
            "warnings": list(self.warnings),
            "verified": [{"host": host, **result.as_dict()} for host, result in self.verified],
            "log_file": self.log_file,
        }


def _code(outcome: HostOutcome) -> int:
    if outcome.state in (HostState.OK, HostState.CHANGED):
        return EXIT_OK
    default = EXIT_USAGE if outcome.state is HostState.SKIPPED else EXIT_CONVERGE
    return outcome.exit_code or default
