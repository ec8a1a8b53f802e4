"""Tier 0 against a fake endpoint and a scripted host: what passes, what fails, what cannot apply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from installer.verify import node_files
from installer.verify.catalogue import all_checks
from installer.verify.client import CriClient
from installer.verify.node_files import CRICTL, KUBEADM, KUBELET, KUBELET_FLAGS, KUBELET_INSTANCE
from installer.verify.options import Options
from installer.verify.result import Result
from installer.verify.runner import run_check
from installer.verify.session import Session
from pycri._generated import cri_pb2
from tests.unit.installer.verify.fake_cri import READY, FakeCri, status, version
from tests.unit.installer.verify.scripted_host import ScriptedHost

OURS = "unix:///run/pycri/pycri.sock"
OTHER = "unix:///run/containerd/containerd.sock"
CHECKS = {check.id: check for check in all_checks()}


class Bench:
    """One check against prepared answers."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.answers: dict[str, Any] = {"Version": version, "Status": READY}
        self.stat = b"0 0 660 socket\n"
        self.api = "runtime.v1"

    def run(self, check_id: str) -> Result:
        def answer(script: str) -> bytes:
            if script.startswith("stat"):
                return self.stat
            return b"".join(f"{len(text)} {path}\n{text}".encode() for path, text in self.files.items())

        with FakeCri(self.answers, api=self.api) as cri:
            client = CriClient(cri.address)
            client.negotiate()
            result = run_check(CHECKS[check_id], Session(client, ScriptedHost(answer), OURS, Options()))
            client.close()
            return result


@pytest.fixture
def bench() -> Iterator[Bench]:
    return Bench()


def test_version(bench: Bench) -> None:
    assert bench.run("api.version").evidence == "fake 1.0"
    assert bench.run("api.v1").outcome.value == "pass"
    bench.api = "runtime.v1alpha2"
    assert bench.run("api.version").evidence == "fake 1.0"
    assert "is 'runtime.v1alpha2', not 'runtime.v1'" in bench.run("api.v1").evidence


def test_conditions(bench: Bench) -> None:
    assert bench.run("runtime.ready").outcome.value == "pass"
    bench.answers["Status"] = status(("RuntimeReady", True), ("NetworkReady", False))
    found = bench.run("runtime.network-ready")
    assert (found.outcome.value, found.evidence) == ("fail", "NetworkReady is false: Reason: message")
    bench.answers["Status"] = status()
    assert bench.run("runtime.ready").evidence.endswith("(it reports: none)")


def driver(value: int) -> Any:
    linux = cri_pb2.LinuxRuntimeConfiguration(cgroup_driver=value)  # type: ignore[arg-type]
    return lambda _request: cri_pb2.RuntimeConfigResponse(linux=linux)


def test_the_cgroup_driver_is_held_against_the_kubelets(bench: Bench) -> None:
    assert bench.run("runtime.cgroup-driver").outcome.value == "skip"
    bench.answers["RuntimeConfig"] = driver(cri_pb2.SYSTEMD)
    assert bench.run("runtime.cgroup-driver").evidence.startswith("systemd; no kubelet")
    bench.files[KUBELET] = "cgroupDriver: systemd\n"
    assert bench.run("runtime.cgroup-driver").evidence == "systemd, as the kubelet's"
    bench.files[KUBELET] = "cgroupDriver: cgroupfs\n"
    assert "is 'cgroupfs', not 'systemd'" in bench.run("runtime.cgroup-driver").evidence


@pytest.mark.parametrize(
    ("stat", "outcome"),
    [
        (b"0 0 660 socket\n", "pass"),
        (b"0 0 600 socket\n", "pass"),
        (b"0 0 666 socket\n", "fail"),
        (b"1000 0 660 socket\n", "fail"),
        (b"0 0 660 regular file\n", "fail"),
    ],
)
def test_the_socket_is_roots_alone(bench: Bench, stat: bytes, outcome: str) -> None:
    bench.stat = stat
    assert bench.run("node.socket").outcome.value == outcome


def test_the_kubelets_endpoint(bench: Bench) -> None:
    assert bench.run("node.kubelet").outcome.value == "skip"
    bench.files[KUBELET] = f"containerRuntimeEndpoint: {OTHER}\n"
    assert bench.run("node.kubelet").outcome.value == "fail"
    bench.files[KUBELET_INSTANCE] = f"containerRuntimeEndpoint: {OURS}\n"
    assert bench.run("node.kubelet").outcome.value == "pass"
    bench.files[KUBELET_FLAGS[0]] = f'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint={OTHER}"\n'
    assert bench.run("node.kubelet").outcome.value == "fail"


def test_crictls_endpoint(bench: Bench) -> None:
    assert bench.run("node.crictl").outcome.value == "skip"
    bench.files[CRICTL] = f"runtime-endpoint: {OURS}\n"
    assert bench.run("node.crictl").outcome.value == "pass"
    bench.files[CRICTL] = f"runtime-endpoint: {OURS}\nimage-endpoint: {OTHER}\n"
    assert "image-endpoint is" in bench.run("node.crictl").evidence
    bench.files[CRICTL] = "debug: true\n"
    assert "sets no runtime-endpoint" in bench.run("node.crictl").evidence


def test_kubeadms_socket(bench: Bench) -> None:
    assert bench.run("node.kubeadm").outcome.value == "skip"
    document = "kind: ClusterConfiguration\n---\nkind: InitConfiguration\nnodeRegistration: {criSocket: %s}\n"
    bench.files[KUBEADM[0]] = document % OURS
    assert bench.run("node.kubeadm").outcome.value == "pass"
    bench.files[KUBEADM[0]] = document % OTHER
    assert bench.run("node.kubeadm").outcome.value == "fail"


def test_the_sandbox_image(bench: Bench) -> None:
    named = status(("RuntimeReady", True), config=json.dumps({"sandboxImage": "pause:1"}))
    bench.answers |= {"Status": named, "ImageStatus": lambda _request: cri_pb2.ImageStatusResponse()}
    assert "pause:1 is not on the node" in bench.run("image.sandbox").evidence
    image = cri_pb2.Image(id="sha256:1", pinned=True, repo_tags=["pause:1"])
    bench.answers["ImageStatus"] = lambda _request: cri_pb2.ImageStatusResponse(image=image)
    assert bench.run("image.sandbox").outcome.value == "pass"
    bench.answers |= {
        "Status": READY,
        "ListImages": lambda _request: cri_pb2.ListImagesResponse(images=[image]),
    }
    assert bench.run("image.sandbox").evidence == "pinned: pause:1"
    bench.answers["ListImages"] = lambda _request: cri_pb2.ListImagesResponse()
    assert bench.run("image.sandbox").outcome.value == "skip"


def test_pycris_sandbox_image_needs_no_registry(bench: Bench) -> None:
    bench.answers["ImageStatus"] = lambda _request: cri_pb2.ImageStatusResponse()
    for name, outcome in (("localhost/pycri-pause:1", "pass"), ("registry.k8s.io/pause:3.10", "fail")):
        config = json.dumps({"images": {"sandbox_image": name}})
        bench.answers["Status"] = status(("RuntimeReady", True), config=config)
        assert bench.run("image.sandbox").outcome.value == outcome


def test_a_file_that_is_no_yaml_fails_the_check_that_needs_it(bench: Bench) -> None:
    bench.files[node_files.CRICTL] = "a: [1\n"
    assert "is not YAML" in bench.run("node.crictl").evidence
