"""Is the runc that is there free of the holes that let containers out?"""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, warning
from installer.runc import complaint


def check(subject: Subject) -> Iterator[Finding]:
    found = complaint(subject.facts.runc_version)
    if found is not None:
        yield warning(found.reason, found.fix)
