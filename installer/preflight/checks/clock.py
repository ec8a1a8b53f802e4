"""Certificates, tokens and leases go wrong when hosts disagree about the time."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from installer.preflight.finding import Finding, Subject, error, warning

_TOLERATED = 2.0  # seconds
_BROKEN = 30.0  # leases are 15 s, and kubeadm's certificates are valid from this moment on


def reference_of(skews: Sequence[float]) -> float:
    """The skew (seconds against the controller's clock) that counts as right: that of the host in the middle.

    Two hosts are judged with the controller as the third clock; one host by the controller alone.
    """
    return statistics.median(skews if len(skews) > 2 else [*skews, 0.0, 0.0][:3])


def check(subject: Subject) -> Iterator[Finding]:
    """Compare with the median of all hosts: with the controller's own clock too when there is one host
    only."""
    own = subject.facts.clock_skew
    if own is None:
        return
    skews = [facts.clock_skew for facts in subject.everyone.values() if facts.clock_skew is not None]
    reference = reference_of(skews)
    ahead = own - reference
    if abs(ahead) - subject.facts.clock_error <= _TOLERATED:
        return
    finding = error if abs(ahead) - subject.facts.clock_error > _BROKEN else warning
    yield finding(
        f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} "
        f"{'the other hosts' if len(skews) > 1 else 'the controller'}",
        "enable time synchronisation: timedatectl set-ntp true (systemd-timesyncd or chrony)",
    )
