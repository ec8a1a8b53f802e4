"""How nodestrap's last run ended where it failed: what a host itself may not know any more."""

from __future__ import annotations

from pathlib import Path

from installer import journal
from installer.doctor.evidence import Failure
from installer.report import HostState

_BAD = {HostState.FAILED.value, HostState.UNREACHABLE.value}


def last_failures(state_dir: Path) -> dict[str, Failure]:
    """By host, from the cluster's journal; none for a host whose last run ended well."""
    found: dict[str, Failure] = {}
    for entry in journal.read(state_dir / "journal.jsonl"):
        if entry.get("event") != "host":
            continue
        name = str(entry.get("host"))
        if entry.get("state") in _BAD:
            found[name] = Failure(
                str(entry.get("step") or entry.get("phase")), str(entry.get("reason") or "")
            )
        else:
            found.pop(name, None)
    return found
