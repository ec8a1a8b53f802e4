"""What a check is: an id, a tier, what it proves, and a function that returns evidence or raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from installer.verify.context import Context

    CheckFunction = Callable[[Context], str]

TIERS = (0, 1, 2, 3)


class Failed(Exception):
    """The endpoint did not do what the check demands; ``fix`` overrides the check's own hint."""

    def __init__(self, reason: str, *, fix: str | None = None) -> None:
        super().__init__(reason)
        self.fix = fix


class NotApplicable(Exception):
    """The check cannot say anything about this endpoint, and why; reported as skipped, never as passed."""


@dataclass(frozen=True)
class Check:
    """One qualification check."""

    id: str
    """``area.name``, stable: scripts select by it. The area orders the table (``catalogue.AREAS``)."""
    tier: int
    title: str
    proves: str
    """The CRI messages and fields (or the node's file) whose contract is held against the endpoint."""
    fix: str
    """What a person should do first when it fails."""
    run: CheckFunction
    gate: bool = False
    """When it fails, the rest of the run says nothing new and is skipped."""
    first: bool = False
    """Runs before the rest of its area: it names the trouble that the others would only run into."""
    after: bool = False
    """Runs last in its tier, when the tier's shared pod is gone."""
    disruptive: bool = False
    """Runs only on request: it restarts something."""


def check(
    id: str,  # noqa: A002 - the field's name
    *,
    tier: int,
    title: str,
    proves: str,
    fix: str,
    gate: bool = False,
    first: bool = False,
    after: bool = False,
    disruptive: bool = False,
) -> Callable[[CheckFunction], Check]:
    """Make the decorated function a check. It takes a ``Context`` and returns one line of evidence."""
    if tier not in TIERS:
        raise ValueError(f"check {id}: there is no tier {tier}")

    def make(run: CheckFunction) -> Check:
        return Check(
            id=id,
            tier=tier,
            title=title,
            proves=proves,
            fix=fix,
            run=run,
            gate=gate,
            first=first,
            after=after,
            disruptive=disruptive,
        )

    return make


def expect(condition: object, reason: str, *, fix: str | None = None) -> None:
    """Raise ``Failed(reason)`` unless the condition holds."""
    if not condition:
        raise Failed(reason, fix=fix)


def expect_equal(found: object, wanted: object, what: str, *, fix: str | None = None) -> None:
    """Raise ``Failed`` naming both sides unless they are equal."""
    if found != wanted:
        raise Failed(f"{what} is {found!r}, not {wanted!r}", fix=fix)
