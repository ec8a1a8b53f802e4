"""Which runc releases have known holes that let a container out."""

from __future__ import annotations

import re
from dataclasses import dataclass

# CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881 are closed from these on; CVE-2024-21626 in 1.1.12.
_FIXED = {(1, 2): (1, 2, 8), (1, 3): (1, 3, 3)}
_FIXED_SERIES = (1, 4)  # closed in every release of these and later (1.4.0-rc.3 on)
_FIRST = (1, 1, 12)


@dataclass(frozen=True)
class Complaint:
    reason: str
    fix: str


def complaint(version: str | None) -> Complaint | None:
    """What is to be said about a runc that calls itself ``version``; None when it is new enough, or unknown.

    ``version`` is what ``runc --version`` prints first: ``runc version 1.1.5+ds1``.
    """
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", version or "")
    if found is None:
        return None
    release = tuple(int(part) for part in found.groups())
    series = release[:2]
    if series >= _FIXED_SERIES or (series in _FIXED and release >= _FIXED[series]):
        return None
    holes = "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881"
    if release < _FIRST:
        holes = f"CVE-2024-21626, {holes}"
    return Complaint(
        f"runc {found[0]} is older than the releases that close {holes} (1.2.8, 1.3.3, 1.4)",
        "upgrade runc (containerd_runc_source: upstream brings a fixed one), unless your distribution "
        "has patched its own: its changelog says so",
    )
