"""The server itself: both API packages, sockets, messages, readiness, what is refused."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.verify.client import CriClient, CriError
from pycri._generated import cri_pb2 as cri
from tests.support.containerd import ContainerdHost
from tests.support.control_node import ControlNode, control_node
from tests.support.cri_pods import await_true
from tests.support.pycri import PycriHost

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlNode]:
    with control_node(tmp_path_factory.mktemp("node")) as made:
        yield made


def test_both_packages_answer(node: ControlNode) -> None:
    for api in ("runtime.v1", "runtime.v1alpha2"):
        client = CriClient(node.pycri.target, api=api)
        version = client.runtime.Version(cri.VersionRequest())
        assert version.runtime_name == "pycri"
        assert version.runtime_api_version == api.rpartition(".")[2]
        assert client.image.ListImages(cri.ListImagesRequest()).images
        client.close()


def test_every_rpc_of_the_cri_answers(node: ControlNode) -> None:
    """With an empty request: a verb's own answer, never "method not found" or an unknown failure."""
    services = cri.DESCRIPTOR.services_by_name
    refusals: dict[str, str] = {}
    for name, service in (
        ("RuntimeService", node.pods.client.runtime),
        ("ImageService", node.pods.client.image),
    ):
        for method in services[name].methods:
            if method.name == "GetContainerEvents":
                continue  # goes on for ever
            try:
                answer = getattr(service, method.name)(method.input_type._concrete_class())
                if method.server_streaming:
                    list(answer)
            except CriError as error:
                refusals[method.name] = error.code
    assert set(refusals.values()) <= {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}, refusals


def test_socket_is_roots(node: ControlNode) -> None:
    assert stat.S_IMODE(Path(node.pycri.socket).stat().st_mode) == 0o660
    assert stat.S_IMODE((node.pycri.root / "lib").stat().st_mode) == 0o700


def test_there_is_no_abstract_socket(node: ControlNode) -> None:
    """CVE-2020-15257: an abstract socket is open to every pod that uses the host's network."""
    listening = {
        fields[6]: fields[7]
        for line in Path("/proc/net/unix").read_text().splitlines()[1:]
        if len(fields := line.split()) == 8 and fields[7].startswith("@")
    }
    for name, process in node.pycri.processes.items():
        command = ["find", f"/proc/{process.pid}/fd", "-lname", "socket:*", "-printf", "%l\n"]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        assert found, f"{name} has no sockets at all"
        held = [listening[inode] for link in found if (inode := link[8:-1]) in listening]
        assert held == [], f"{name} holds abstract sockets: {held}"


def test_large_messages(node: ControlNode) -> None:
    """An annotation of 1 MiB comes and goes."""
    pod = node.pods.run(annotations={"big": "x" * (1 << 20)})
    listed = node.pods.runtime.ListPodSandbox(cri.ListPodSandboxRequest()).items
    assert len(listed[0].annotations["big"]) == 1 << 20
    node.pods.remove_pod(pod)


def test_runtime_config_and_status(node: ControlNode) -> None:
    driver = node.pods.runtime.RuntimeConfig(cri.RuntimeConfigRequest()).linux.cgroup_driver
    assert driver in (cri.CGROUPFS, cri.SYSTEMD)
    status = node.pods.runtime.Status(cri.StatusRequest(verbose=True))
    assert all(condition.status for condition in status.status.conditions)
    assert {handler.name for handler in status.runtime_handlers} == {"", "runc"}
    assert status.features.supplemental_groups_policy
    assert json.loads(status.info["config"])["containerd"]["namespace"] == "pycri"


def test_the_conflist_is_watched(node: ControlNode) -> None:
    conflist = node.containerd.cni_conf_dir / "10-test.conflist"
    text = conflist.read_text()

    def network() -> cri.RuntimeCondition:
        return node.pods.conditions()["NetworkReady"]

    try:
        conflist.write_text("{ broken")
        await_true(lambda: not network().status)
        assert "10-test.conflist cannot be used" in network().message
        with pytest.raises(CriError, match=r"10-test\.conflist cannot be used"):
            node.pods.run()
        conflist.unlink()
        await_true(lambda: "waiting for a .conflist" in network().message)
    finally:
        conflist.write_text(text)
    await_true(lambda: network().status)


def test_pycri_opens_no_fifo(node: ControlNode) -> None:
    """Container output is pycri-io's: a restart of pycri must not touch it."""
    pod = node.pods.run()
    node.pods.start(pod, "sleep", "1000")
    control = node.pycri.processes["control"].pid
    for descriptor in Path(f"/proc/{control}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        assert "/run/io/" not in target, target
    node.pods.remove_pod(pod)


def test_systemd_is_notified(node: ControlNode, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        with_socket = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        node.pycri.end("control")
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pycri",
                "--config",
                str(node.pycri.root / "config.toml"),
                "serve",
                "--control-only",
            ],
            env=with_socket,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert listener.recv(4096).startswith(b"STATUS=waiting")
            assert listener.recv(4096).startswith(b"READY=1\nSTATUS=serving")
        finally:
            process.terminate()
        assert listener.recv(4096).startswith(b"STOPPING=1")
        assert process.wait(30) == 0
    node.pycri.start("control", ["serve", "--control-only"])
    node.pycri.wait_ready()


def test_containerds_own_cri_in_the_same_namespace_is_refused() -> None:
    with (
        ContainerdHost(cri=True) as containerd,
        pytest.raises(AssertionError, match="has its own CRI plugin enabled"),
        PycriHost(containerd, namespace="k8s.io"),
    ):
        raise RuntimeError("pycri has started")


def test_config_commands() -> None:
    run = [sys.executable, "-m", "pycri"]
    printed = subprocess.run([*run, "config", "default"], capture_output=True, text=True, check=True).stdout
    assert "[containerd]" in printed
    wrong = subprocess.run(
        [*run, "--config", "/dev/null/x", "config", "check"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "cannot be read" in wrong.stderr
