"""Faults injected into a real host, with a real kubelet on a real pycri: the doctor ranks each first.

The kubelet runs alone, from static manifests: it needs no API server to fall over all of these. Hosts of this
lab share the machine's clock, so a wrong one is injected where a host has its own: tests/e2e/test_vm.py.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import kubernetes_directory
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

LAB = "sick"
PYCRI = "unix:///run/pycri/pycri.sock"
BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.29-4"
CONFIG, FLAGS = "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env"
KUBELET_CONFIG = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failSwapOn: false
staticPodPath: /etc/kubernetes/manifests
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
enforceNodeAllocatable: []
"""
UNIT = """\
[Service]
EnvironmentFile=/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/bin/kubelet --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=10
"""


@dataclass(frozen=True)
class Patient:
    """A lab host with a runtime and a kubelet, and the doctor who sees it."""

    nodestrap: Nodestrap
    inventory: Path

    def on(self, command: str) -> str:
        return self.nodestrap.on(LAB, "node1", command)

    def write(self, path: str, content: str) -> None:
        self.on(f"mkdir -p $(dirname {path}); printf %s {shlex.quote(content)} > {path}")

    def edit(self, path: str, old: str, new: str) -> None:
        self.on(f"grep -q {shlex.quote(old)} {path} && sed -i {shlex.quote(f's|{old}|{new}|')} {path}")

    def says(self, unit: str, pattern: str, seconds: int = 60) -> None:
        """Wait until the unit has said this since it was last started by hand."""
        look = f'journalctl -q -o cat -u {unit} --since "$(cat /run/since)" | grep -qE {shlex.quote(pattern)}'
        self.on(f"for _ in $(seq {seconds * 5}); do {look} && exit; sleep 0.2; done; exit 1")

    def restart(self, *units: str) -> None:
        names = " ".join(units)
        self.on(f"date '+%F %T' > /run/since; systemctl reset-failed {names}; systemctl restart {names}")

    def runs(self, name: str, image: str) -> None:
        """Give the kubelet a static pod."""
        pod = (
            f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: default}}\nspec:\n"
            "  hostNetwork: true\n"
            f'  containers: [{{name: main, image: "{image}", command: [sleep, "1000"]}}]\n'
        )
        self.write(f"/etc/kubernetes/manifests/{name}.yaml", pod)

    def causes(self, code: int) -> list[dict[str, Any]]:
        document = self.nodestrap.json("doctor", "-i", str(self.inventory), code=code)
        (host,) = document["hosts"]
        assert host["unseen"] == []
        return [each for each in host["findings"] if each["weight"] == "cause"]

    def likeliest(self) -> tuple[str, str]:
        """The first cause and its evidence."""
        first = self.causes(12)[0]
        assert first["fix"]
        return first["cause"], first["evidence"]

    @contextmanager
    def sick(self, cure: str) -> Iterator[None]:
        """What is done in the block is undone, and the host is healthy again."""
        try:
            yield
        finally:
            self.on(cure)
            self.on("rm -f /etc/kubernetes/manifests/*")
            self.restart("kubelet")
            self.says("kubelet", "Starting kubelet main sync loop")


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    nodestrap = Nodestrap(tmp_path_factory.mktemp("sick"))
    try:
        inventory = nodestrap.lab_up(LAB, "--nodes", "1")
        nodestrap("up", "-i", str(inventory), "--until", "runtime")
        root = nodestrap.home / "state/nodestrap/labs" / LAB / "hosts/node1/root"
        shutil.copy(kubernetes_directory.build() / "bin/kubelet", root / "usr/local/bin/kubelet")
        found = Patient(nodestrap, inventory)
        found.on("mkdir -p /etc/kubernetes/manifests")
        found.write(CONFIG, KUBELET_CONFIG)
        flags = f"--container-runtime=remote --container-runtime-endpoint={PYCRI}"
        found.write(FLAGS, f'KUBELET_KUBEADM_ARGS="{flags}"\n')
        found.write("/etc/systemd/system/kubelet.service", UNIT)
        found.on("systemctl daemon-reload")
        found.restart("kubelet")
        found.says("kubelet", "Starting kubelet main sync loop")
        yield found
    finally:
        nodestrap.lab_down(LAB)


def test_a_healthy_host_has_no_cause(patient: Patient) -> None:
    assert patient.causes(0) == []


def test_an_image_that_cannot_be_pulled_is_no_sickness_of_the_host(patient: Patient) -> None:
    with patient.sick("true"):
        patient.runs("lost", "registry.example/app:1")
        patient.says("kubelet", "ErrImagePull")
        assert patient.causes(0) == []


def test_wrong_cgroup_driver(patient: Patient) -> None:
    with patient.sick(f"sed -i 's/cgroupDriver: systemd/cgroupDriver: cgroupfs/' {CONFIG}"):
        patient.edit(CONFIG, "cgroupDriver: cgroupfs", "cgroupDriver: systemd")
        patient.restart("kubelet")
        patient.runs("driver", BUSYBOX)
        patient.says("pycri", "is a systemd slice")
        cause, evidence = patient.likeliest()
        assert cause == "cgroup-driver"
        assert "cgroupDriver: systemd" in evidence
        assert "is a systemd slice" in evidence


def test_missing_pause_image(patient: Patient) -> None:
    config = "/etc/pycri/config.toml"
    with patient.sick(f"sed -i '/^.images.$/,$d' {config}; systemctl restart pycri"):
        patient.on(f"printf '[images]\\nsandbox_image = \"registry.example/pause:9\"\\n' >> {config}")
        patient.restart("pycri", "kubelet")
        patient.says("kubelet", "Starting kubelet main sync loop")
        patient.runs("paused", BUSYBOX)
        patient.says("pycri", "RunPodSandbox failed.*registry.example/pause:9")
        cause, evidence = patient.likeliest()
        assert cause == "pause-image"
        assert "registry.example/pause:9" in evidence


@pytest.mark.parametrize(
    ("socket", "said"),
    [("/run/crio/crio.sock", "no such file"), ("/run/containerd/containerd.sock", "unknown service")],
)
def test_wrong_cri_socket(patient: Patient, socket: str, said: str) -> None:
    with patient.sick(f"sed -i 's|unix://{socket}|{PYCRI}|' {FLAGS}"):
        patient.edit(FLAGS, PYCRI, f"unix://{socket}")
        patient.restart("kubelet")
        patient.says("kubelet", f"failed to run Kubelet.*{said}")
        cause, evidence = patient.likeliest()
        assert cause == "wrong-socket"
        assert said in evidence


def test_the_right_socket_of_a_dead_runtime_is_no_wrong_one(patient: Patient) -> None:
    with patient.sick("systemctl start pycri"):
        patient.on("systemctl stop pycri")
        patient.restart("kubelet")
        patient.says("kubelet", "failed to run Kubelet")
        cause, evidence = patient.likeliest()
        assert cause == "runtime-down"
        assert "pycri.service is inactive" in evidence


def test_port_taken(patient: Patient) -> None:
    thief = (
        "systemd-run --quiet --unit=port-thief python3 -c "
        "'import socket, time; s = socket.create_server((\"\", 10250)); time.sleep(600)'"
    )
    with patient.sick("systemctl stop port-thief"):
        patient.on(f"systemctl stop kubelet; {thief}; until ss -ltn | grep -q :10250; do sleep 0.1; done")
        patient.restart("kubelet")
        patient.says("kubelet", "address already in use")
        cause, evidence = patient.likeliest()
        assert cause == "port-taken"
        assert "10250: bind: address already in use" in evidence


def test_full_disk(patient: Patient) -> None:
    fill = "dd if=/dev/zero of=/var/lib/kubelet/filler bs=4k status=none 2>/dev/null || true"
    with patient.sick("systemctl stop kubelet; umount /var/lib/kubelet"):
        patient.on(
            f"systemctl stop kubelet; cp -p {CONFIG} {FLAGS} /root/; "
            "mount -t tmpfs -o size=1m tmpfs /var/lib/kubelet; "
            f"mv /root/config.yaml /root/kubeadm-flags.env /var/lib/kubelet/; {fill}"
        )
        patient.restart("kubelet")
        patient.says("kubelet", "no space left on device")
        cause, evidence = patient.likeliest()
        assert cause == "full-disk"
        assert "no space left on device" in evidence


def test_the_cured_host_is_healthy_again(patient: Patient) -> None:
    assert patient.causes(0) == []
