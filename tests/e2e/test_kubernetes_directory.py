"""The cluster's artifacts, held against their users: nodestrap's artifact source and a real containerd."""

import shutil
import subprocess
from pathlib import Path

import pytest

from installer.artifacts import directory
from installer.artifacts.spec import ArtifactSpec
from installer.progress.base import Progress
from tests.support import kubernetes_build, kubernetes_directory
from tests.support.containerd import ContainerdHost

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

# In each image, what must run: the program, and what it calls itself.
_PROGRAMS = {
    "k8s.gcr.io/kube-apiserver:v1.20.2": ["kube-apiserver", "--version"],
    "k8s.gcr.io/kube-controller-manager:v1.20.2": ["kube-controller-manager", "--version"],
    "k8s.gcr.io/kube-scheduler:v1.20.2": ["kube-scheduler", "--version"],
    "k8s.gcr.io/kube-proxy:v1.20.2": ["kube-proxy", "--version"],
    "k8s.gcr.io/etcd:3.4.13-0": ["etcd", "--version"],
}


@pytest.fixture(scope="module")
def artifacts() -> Path:
    return kubernetes_directory.build()


@pytest.mark.parametrize("component", ["kubeadm", "kubelet", "kubectl", "crictl", "cni_plugins"])
def test_it_is_an_artifact_source(artifacts: Path, component: str, tmp_path: Path) -> None:
    """With its checksums: a file that is not listed would be refused."""
    found = directory.find(
        ArtifactSpec(component, "directory", "amd64", directory=artifacts), tmp_path, Progress()
    )
    assert found.path.is_file()
    if component in ("kubeadm", "kubelet", "kubectl"):
        assert found.version == kubernetes_build.VERSION


def test_the_images_are_what_kubeadm_asks_for(artifacts: Path) -> None:
    """All but CoreDNS, of which there is none."""
    command = [artifacts / "bin" / "kubeadm", "config", "images", "list", "--kubernetes-version", "v1.20.2"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    names = {name.rpartition("/")[2].replace(":", "_") for name in listed}
    assert names - {path.stem for path in (artifacts / "images").iterdir()} == {"coredns_1.7.0"}


def test_containerd_imports_the_images_and_runs_them(artifacts: Path) -> None:
    with ContainerdHost() as host:
        ctr = [shutil.which("ctr") or "ctr", "--address", host.address, "--namespace", "k8s.io"]
        for archive in sorted((artifacts / "images").iterdir()):
            subprocess.run([*ctr, "images", "import", str(archive)], capture_output=True, check=True)
        listed = subprocess.run([*ctr, "images", "list", "-q"], capture_output=True, text=True, check=True)
        assert set(_PROGRAMS) | {"k8s.gcr.io/pause:3.2"} == set(listed.stdout.split())
        for number, (image, program) in enumerate(_PROGRAMS.items()):
            done = _run(ctr, image, f"test-{number}", program)
            assert done.returncode == 0, done.stderr
            assert "1.20.2" in done.stdout or "etcd Version: 3.4" in done.stdout
        rules = _run(ctr, "k8s.gcr.io/kube-proxy:v1.20.2", "test-rules", ["iptables-save", "--version"])
        assert "nf_tables" in rules.stdout, rules.stderr
        tracking = _run(ctr, "k8s.gcr.io/kube-proxy:v1.20.2", "test-tracking", ["conntrack", "--version"])
        assert tracking.returncode == 0, tracking.stderr


def test_crictl_speaks_to_a_cri(artifacts: Path) -> None:
    """The small crictl, against containerd's own CRI."""
    with ContainerdHost(cri=True) as host:
        crictl = [str(artifacts / "bin" / "crictl"), "-r", f"unix://{host.address}"]

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*crictl, *arguments], capture_output=True, text=True, timeout=60, check=False
            )

        assert "RuntimeReady" in run("info").stdout
        assert run("pods", "-q").stdout == ""
        assert run("inspecti", "example.org/none:1").returncode == 1
        assert "it knows info" in run("ps").stderr


def _run(ctr: list[str], image: str, name: str, program: list[str]) -> subprocess.CompletedProcess[str]:
    command = [*ctr, "run", "--rm", image, name, *program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
