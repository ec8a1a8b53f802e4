"""The roles set up a system: they need root."""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error


def check(subject: Subject) -> Iterator[Finding]:
    uid = subject.facts.uid
    if uid is not None and uid != 0:
        yield error(
            f"commands run as uid {uid}, not as root",
            "remove ansible_become=false from the inventory, or log in as root",
        )
