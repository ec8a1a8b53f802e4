"""Two nodes may share neither hostname nor machine-id: clones of one image often do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error

_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")  # RFC 1123


def check(subject: Subject) -> Iterator[Finding]:
    facts = subject.facts
    if not facts.hostname and not facts.machine_id:
        return  # no Python, no such facts
    if twins := _sharing(subject, "hostname"):
        yield error(
            f"its hostname {facts.hostname!r} is also that of {twins}", "hostnamectl set-hostname NAME"
        )
    if not _DNS_NAME.fullmatch(facts.hostname.lower()) or len(facts.hostname) > 63:
        yield error(
            f"its hostname {facts.hostname!r} cannot name a node (RFC 1123)",
            "hostnamectl set-hostname NAME, with letters, digits, '-' and '.'",
        )
    if not facts.machine_id or facts.machine_id == "uninitialized":
        yield error("it has no machine-id", "systemd-machine-id-setup")
    elif twins := _sharing(subject, "machine_id"):
        yield error(
            f"its machine-id is also that of {twins}: clones of one image",
            "rm /etc/machine-id && systemd-machine-id-setup, then reboot",
        )


def _sharing(subject: Subject, fact: str) -> str:
    own = getattr(subject.facts, fact)
    return ", ".join(
        name
        for name, other in subject.everyone.items()
        if name != subject.host.name and own and getattr(other, fact) == own
    )
