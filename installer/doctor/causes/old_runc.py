"""runc is older than the versions that close known holes."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence
from installer.doctor.finding import Finding, warning
from installer.runc import complaint


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    found = complaint(evidence.runc_version)
    if found is not None:
        yield warning(found.reason, str(evidence.runc_version), found.fix)
