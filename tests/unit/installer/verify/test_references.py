"""Image references in the CRI's spelling."""

from __future__ import annotations

import pytest

from installer.verify.references import familiar, repository


@pytest.mark.parametrize(
    ("short", "full", "name"),
    [
        ("busybox", "docker.io/library/busybox:latest", "docker.io/library/busybox"),
        ("user/app:1", "docker.io/user/app:1", "docker.io/user/app"),
        ("localhost/app", "localhost/app:latest", "localhost/app"),
        ("registry:5000/app", "registry:5000/app:latest", "registry:5000/app"),
        ("registry.k8s.io/a/b:1@sha256:00", "registry.k8s.io/a/b:1@sha256:00", "registry.k8s.io/a/b"),
    ],
)
def test_references(short: str, full: str, name: str) -> None:
    assert familiar(short) == full
    assert repository(short) == name
