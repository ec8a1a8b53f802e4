"""A kubelet does not start with swap on, unless it is configured to."""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, warning


def check(subject: Subject) -> Iterator[Finding]:
    if subject.facts.swaps:
        yield warning(
            f"swap is on ({', '.join(subject.facts.swaps)}), and kubelets refuse to start with it by default",
            "swapoff -a, and remove it from /etc/fstab (and zram or systemd swap units)",
        )
