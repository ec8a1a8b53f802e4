"""The upstream CRI validation suite against pycri; run as ``CRITEST=/path/to/critest scripts/test critest``.

See tests/support/critest.py for the environment it reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import critest, newer_runtimes
from tests.support.pycri import PycriHost

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

# What v1.36 runs against a containerd 2.1 on a machine without AppArmor, SELinux and user namespaces. Fewer
# would mean that pycri hides a feature to be spared its test.
FEWEST_PASSED = 99
WEBSOCKET = ("-websocket-exec", "-websocket-attach", "-websocket-portforward")


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    if "CRITEST" not in os.environ:
        pytest.fail("CRITEST must name a critest binary: build it from kubernetes-sigs/cri-tools")
    sections = f'[runtimes.runc]\n[runtimes.newer]\nbinary = "{newer_runtimes.runtime("runc")}"\n'
    with critest.host() as containerd, PycriHost(containerd, extra_sections=sections) as node:
        yield node.socket


@pytest.mark.parametrize(
    "arguments", [(), WEBSOCKET, ("-parallel=4",)], ids=["spdy", "websocket", "parallel"]
)
def test_suite_passes(socket: str, arguments: tuple[str, ...]) -> None:
    report = critest.run(socket, arguments)
    print(*report.lines(), sep="\n")
    failed = {name: text for name, text in report.failed.items() if not critest.lacks_image(text)}
    assert not failed, "\n\n".join(f"{name}\n{text}" for name, text in failed.items())
    assert len(report.passed) >= FEWEST_PASSED, report.lines()


def test_user_namespaces_with_a_runtime_that_has_them(socket: str) -> None:
    """The suite skips them where the default runtime is too old for id-mapped mounts."""
    report = critest.run(socket, ("-runtime-handler=newer", "-ginkgo.focus=UserNamespaces"))
    assert not report.failed, report.failed
    assert len(report.passed) >= 6, report.lines()
