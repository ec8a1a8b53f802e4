"""Certificates, tokens and leases go wrong when hosts disagree about the time."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error, warning

_TOLERATED = 2.0  # seconds
_BROKEN = 30.0  # leases are 15 s, and kubeadm's certificates are valid from this moment on


def check(subject: Subject) -> Iterator[Finding]:
    """Compare with the median of all hosts: with the controller's own clock too when there is one host
    only."""
    own = subject.facts.clock_skew
    if own is None:
        return
    skews = [facts.clock_skew for facts in subject.everyone.values() if facts.clock_skew is not None]
    reference = statistics.median(skews) if len(skews) > 2 else statistics.median([*skews, 0.0])
    ahead = own - reference
    if abs(ahead) - subject.facts.clock_error <= _TOLERATED:
        return
    finding = error if abs(ahead) - subject.facts.clock_error > _BROKEN else warning
    yield finding(
        f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} "
        f"{'the other hosts' if len(skews) > 1 else 'the controller'}",
        "enable time synchronisation: timedatectl set-ntp true (systemd-timesyncd or chrony)",
    )
