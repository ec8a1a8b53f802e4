"""Tier 2 of verify, the wider CRI: against pycri and containerd's own CRI, on containerd 1.6, 1.7 and 2.1.

pycri may leave out only what this machine's kernel has not; containerd's own CRI also what it is known to
lack at its age, each with its reason. $CONTAINERD chooses one containerd alone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.lab.standard_images import PAUSE
from installer.verify import EndpointReport, Outcome, run_tiers
from installer.verify.client import CriClient
from pycri._generated import cri_pb2
from tests.support import debian
from tests.support.containerd import ContainerdHost
from tests.support.pycri import PycriHost, mirrored_registry

pytestmark = pytest.mark.integration

SECONDS = 60
KERNEL = {
    "container.apparmor",
    "container.selinux",
    "container.hugepages",
    "container.unified",
    "container.swap",
}
"""What a kernel or its cgroup version may not have."""
OLDER = {
    "api.unknown-ids",
    "api.v1alpha2",  # gone from 2.0 on
    "image.pinned",
    "image.stream",
    "pod.resources",
    "pod.security",
    "pod.user-namespace",
    "runtime.handlers",
    "container.capabilities-ambient",
    "container.cdi",
    "container.events",
    "container.groups-policy",
    "container.image-volume",
    "container.mount-recursive-read-only",
    "container.stop-signal",
    "stats.metrics",
    "stats.streams",
    "stream.websocket",
}
"""What containerd's own CRI lacks at one of the three ages, of which the newest is held against them here."""


VERSIONS = ["given"] if "CONTAINERD" in os.environ else ["installed", "trixie", "sid"]
"""$CONTAINERD alone, or the machine's own and those of two newer Debian suites."""


@pytest.fixture(scope="module", params=VERSIONS)
def containerd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerdHost]:
    host = ContainerdHost(cri=True, portmap=True, sandbox_image=PAUSE)
    if request.param in ("trixie", "sid"):
        host.binary = str(debian.unpack(request.param, "containerd") / "usr/bin/containerd")
    with host, mirrored_registry(host, tmp_path_factory.mktemp("registry")):
        yield host


@pytest.fixture
def run_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the test's run: others may be at work on this machine."""
    chosen = secrets.token_hex(4)
    monkeypatch.setattr("installer.verify.session.new_run_id", lambda: chosen)
    return chosen


def outcomes(report: EndpointReport, outcome: Outcome) -> dict[str, str]:
    return {each.id: each.evidence for each in report.results if each.outcome is outcome}


def expect_good(report: EndpointReport, may_skip: set[str], run_id: str) -> None:
    print("\n".join(f"{each.outcome.value} {each.id} {each.seconds:.2f} s" for each in report.results))
    assert outcomes(report, Outcome.FAILED) == {}
    skipped = outcomes(report, Outcome.SKIPPED)
    assert set(skipped) <= may_skip, skipped
    assert report.leftovers == []
    assert report.seconds < SECONDS
    assert list(Path("/run").glob(f"nodestrap-verify-{run_id}*")) == []
    assert list(Path("/run/cdi").glob(f"nodestrap-verify-{run_id}*")) == []


def test_pycri_is_the_whole_cri(containerd: ContainerdHost, run_id: str) -> None:
    with PycriHost(containerd) as node:
        report = run_tiers(node.target, (2,))
        expect_good(report, KERNEL, run_id)


@pytest.mark.parametrize("containerd", VERSIONS[-1:], indirect=True)
def test_the_reference_passes_what_it_has(containerd: ContainerdHost, run_id: str) -> None:
    client = CriClient(f"unix://{containerd.address}")
    spec = cri_pb2.ImageSpec(image=PAUSE)  # as kubeadm's preflight does on a node
    client.image.PullImage(cri_pb2.PullImageRequest(image=spec))
    client.close()
    expect_good(run_tiers(f"unix://{containerd.address}", (2,)), KERNEL | OLDER, run_id)
