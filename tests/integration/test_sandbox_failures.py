"""RunPodSandbox fails, or pycri is killed, before and after each step: nothing is left, a retry succeeds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.verify.client import CriError
from pycri._generated import cri_pb2 as cri
from tests.support import leftovers
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import await_true
from tests.support.injected import STEPS, USER_NAMESPACE_STEPS

pytestmark = pytest.mark.integration

CASES = [f"{when} {step}" for step in STEPS for when in ("before", "after")]
USER_NAMESPACE_CASES = [
    # the image fails while the namespace is made
    f"{when} {step}"
    for step in ("image", *USER_NAMESPACE_STEPS)
    for when in ("before", "after")
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    with control_node(tmp_path_factory.mktemp("node")) as made:
        made.pycri.end("control")
        start(made)
        yield made


def arm_file(node: ControlNode) -> Path:
    return node.pycri.root / "arm"


def start(node: ControlNode) -> None:
    """Run the pycri whose steps can be made to fail."""
    command = [sys.executable, "-m", "tests.support.injected", str(arm_file(node))]
    with (node.pycri.root / "control.log").open("ab") as log:
        node.pycri.processes["control"] = subprocess.Popen(
            [*command, "--config", str(node.pycri.root / "config.toml"), "serve", "--control-only"],
            stdout=log,
            stderr=log,
        )
    node.pycri.wait_ready()
    await_true(lambda: bool(node.pods.conditions()))


def in_containerd(node: ControlNode) -> list[str]:
    """Containers, tasks and snapshots with a pod's id that containerd has."""
    found = []
    for what in (["containers", "ls", "-q"], ["tasks", "ls", "-q"], ["snapshots", "ls"]):
        command = ["ctr", "-a", node.containerd.address, "-n", node.pycri.namespace, *what]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = [line.split() for line in output.splitlines()]
        found += [f"{what[0]} {row[0]}" for row in rows if len(row[0]) == 64]
    return found


def shims(node: ControlNode) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if b"containerd-shim" in line and node.containerd.address.encode() in line:
            found.append(path.parent.name)
    return found


def assert_nothing_left(node: ControlNode) -> None:
    assert node.pods.pods() == []
    assert not any(node.leftovers().values()), node.leftovers()
    assert in_containerd(node) == []
    await_true(lambda: shims(node) == [])  # one that is left over would not end however long this waits


def in_user_namespace(config: cri.PodSandboxConfig, first: int) -> cri.PodSandboxConfig:
    ids = [cri.IDMapping(host_id=first, container_id=0, length=65_536)]
    options = cri.NamespaceOption(userns_options=cri.UserNamespace(mode=cri.POD, uids=ids, gids=ids))
    config.linux.security_context.namespace_options.CopyFrom(options)
    return config


@pytest.mark.parametrize("kind", ["error", "kill"])
@pytest.mark.parametrize("case", USER_NAMESPACE_CASES)
def test_a_user_namespace_leaves_nothing_either(node: ControlNode, case: str, kind: str) -> None:
    number = USER_NAMESPACE_CASES.index(case) * 2 + (kind == "kill") + 1
    config = in_user_namespace(node.pods.config(), 1_000_000 * number)  # ids that no copy is kept for yet
    if " copy" in case:
        node.pods.remove_pod(node.pods.run())  # unpacks the pause image, which commits a snapshot, too
    arm_file(node).write_text(f"{case} {kind}")
    if " copy" in case and node.containerd.version >= (2, 0):
        # this containerd maps ids itself: there is no such step, and so no failure
        node.pods.remove_pod(node.pods.run(config))
        assert arm_file(node).exists()
        arm_file(node).unlink()
        assert_nothing_left(node)
        return
    with pytest.raises(CriError):
        node.pods.run(config)
    if kind == "kill":
        node.pycri.processes.pop("control").wait(30)
        start(node)
    assert_nothing_left(node)
    assert [mount for mount in leftovers.mounts_below(node.pycri.root) if "userns" in mount] == []
    pod = node.pods.run(config)
    assert node.pods.sandbox(pod).state == cri.SANDBOX_READY
    node.pods.remove_pod(pod)


@pytest.mark.parametrize("case", CASES)
def test_an_error_leaves_nothing_and_the_retry_succeeds(node: ControlNode, case: str) -> None:
    config = node.pods.config()
    arm_file(node).write_text(f"{case} error")
    with pytest.raises(CriError, match=f"injected {case}"):
        node.pods.run(config)
    assert_nothing_left(node)
    pod = node.pods.run(config)
    assert node.pods.sandbox(pod).state == cri.SANDBOX_READY
    node.pods.remove_pod(pod)


@pytest.mark.parametrize("case", CASES)
def test_a_kill_leaves_nothing_after_the_restart_and_the_retry_succeeds(node: ControlNode, case: str) -> None:
    config = node.pods.config()
    arm_file(node).write_text(f"{case} kill")
    with pytest.raises(CriError, match=r"UNAVAILABLE|CANCELLED"):
        node.pods.run(config)
    node.pycri.processes.pop("control").wait(30)
    start(node)
    complete = node.pods.pods()
    if complete:  # killed when the pod was on record as ready: then it is whole, and the retry's answer
        assert case == "after start"
    else:
        assert_nothing_left(node)
    pod = node.pods.run(config)
    assert node.pods.sandbox(pod).state == cri.SANDBOX_READY
    assert complete in ([], [pod])
    node.pods.remove_pod(pod)
