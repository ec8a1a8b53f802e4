"""What a verify run is told: one frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_IMAGE = "registry.k8s.io/e2e-test-images/busybox:1.29-4"


@dataclass(frozen=True)
class Options:
    """Settings of one run, the same for each of its endpoints."""

    image: str = DEFAULT_IMAGE
    """A tagged reference with a shell and busybox's commands."""
    disruptive: bool = False
    """Also run the checks that restart the daemon."""
    pause_kubelet: bool = False
    """Stop the host's kubelet while checks run pods (see ``kubelet``)."""
    runtime_handler: str = ""
    """CRI runtime handler of the pods; empty is the endpoint's default."""
