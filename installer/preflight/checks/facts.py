"""A fact that could not be gathered is a check that could not be made: say so."""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error


def check(subject: Subject) -> Iterator[Finding]:
    for gatherer, reason in subject.facts.failed.items():
        yield error(f"the probe's part {gatherer!r} failed: {reason}", "a bug, or a very odd host: report it")
