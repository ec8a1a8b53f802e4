"""What kubeadm 1.20 to 1.30 calls of crictl, answered by ``pycri ctl`` under that name.

kubeadm goes by exit codes, and reads standard output and standard error together: one word more is one more
pod to remove.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.lab.standard_images import BUSYBOX
from tests.support.control_node import ControlNode, control_node
from tests.support.ctl import Ctl

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    with control_node(tmp_path_factory.mktemp("node")) as made:
        yield made


@pytest.fixture(scope="module", params=["socket's path", "URL"])
def crictl(
    request: pytest.FixtureRequest, node: ControlNode, tmp_path_factory: pytest.TempPathFactory
) -> Ctl:
    """kubeadm hands on what its configuration says: a bare path, up to 1.23."""
    socket = node.pycri.target if request.param == "URL" else node.pycri.socket
    return Ctl(tmp_path_factory.mktemp("bin"), socket)


def test_a_runtime_that_is_up(crictl: Ctl) -> None:
    conditions = json.loads(crictl.text("info"))["status"]["conditions"]
    assert {one["type"]: one["status"] for one in conditions} == {"RuntimeReady": True, "NetworkReady": True}
    assert "RuntimeName:  pycri\n" in crictl.text("version")


def test_a_runtime_that_is_not(crictl: Ctl, tmp_path: Path) -> None:
    done = Ctl(tmp_path, str(tmp_path / "nothing.sock"))("info")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing answers at" in done.stderr
    assert "nothing.sock" in done.stderr


def test_reset_finds_stops_and_removes_every_pod(node: ControlNode, crictl: Ctl) -> None:
    assert crictl.text("pods", "-q") == ""
    made = {node.pods.run() for _ in range(2)}
    assert set(crictl.text("pods", "-q").split()) == made
    for pod in made:
        assert crictl.text("stopp", pod) == f"Stopped sandbox {pod}\n"
        assert crictl.text("rmp", pod) == f"Removed sandbox {pod}\n"
    assert crictl.text("pods", "-q") == ""


def test_a_pod_that_runs_is_not_removed(node: ControlNode, crictl: Ctl) -> None:
    pod = node.pods.run()
    done = crictl("rmp", pod)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{pod}: it is running" in done.stderr
    assert crictl.text("rmp", "--force", pod).splitlines() == [
        f"Stopped sandbox {pod}",
        f"Removed sandbox {pod}",
    ]


def test_images_are_looked_for_and_pulled(node: ControlNode, crictl: Ctl) -> None:
    missing = crictl("inspecti", "registry.k8s.io/nothing/of-the-kind:1")
    assert (missing.returncode, missing.stdout) == (1, "")
    status = json.loads(crictl.text("inspecti", BUSYBOX))["status"]
    assert BUSYBOX in status["repoTags"]
    assert crictl.text("pull", BUSYBOX) == f"Image is up to date for {status['id']}\n"
    assert status["id"] in crictl.text("images", "-q").split()


def test_a_pull_that_fails(crictl: Ctl) -> None:
    done = crictl("pull", "registry.k8s.io/nothing/of-the-kind:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "registry.k8s.io/nothing/of-the-kind:1" in done.stderr


def test_usage_errors_are_told_apart(crictl: Ctl) -> None:
    for arguments in (("stopp",), ("rmp",), ("pull",), ("pods", "--no-such-flag"), ("no-such-command",)):
        done = crictl(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done
