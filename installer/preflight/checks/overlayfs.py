"""Can containerd's snapshotter mount an overlay where it will keep images?"""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error


def check(subject: Subject) -> Iterator[Finding]:
    facts = subject.facts
    if facts.overlay_error is None:
        return
    yield error(
        f"an overlay cannot be mounted in {facts.overlay_directory}: {facts.overlay_error}",
        "put /var/lib/containerd on ext4 or xfs (made with ftype=1), not on overlayfs or NFS; "
        "check that `modprobe overlay` works",
    )
