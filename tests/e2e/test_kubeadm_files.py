"""The files for 1.20, given to the real kubeadm 1.20.2. The first run builds it, which takes minutes."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import kubernetes_build
from tests.unit.installer.kubeadm import golden

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

# kubeadm's dry run writes below /etc/kubernetes and looks at ports: it gets an /etc, a /var/lib and a network
# of its own, so that this machine stays as it is.
_APART = """
set -e
ip link set lo up
mount -t tmpfs none "$1"
cp -a /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /etc/os-release "$1"
mount --bind "$1" /etc
mount -t tmpfs none /var/lib
shift
exec "$@"
"""


@pytest.fixture(scope="module")
def binaries() -> Path:
    return kubernetes_build.build()


def _kubeadm(binaries: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(binaries / "kubeadm"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("case", ["init", "join-worker", "join-control-plane"])
def test_it_reads_every_field(binaries: Path, case: str, tmp_path: Path) -> None:
    old, new = golden.DIRECTORY / f"1.20-{case}.yaml", tmp_path / "new.yaml"
    done = _kubeadm(binaries, "config", "migrate", "--old-config", str(old), "--new-config", str(new))
    assert done.returncode == 0, done.stderr
    assert "unknown field" not in done.stderr  # it warns, and goes on without the field
    assert "unix:///run/pycri/pycri.sock" in new.read_text()


def test_a_field_that_it_does_not_know_would_be_seen(binaries: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text((golden.DIRECTORY / "1.20-init.yaml").read_text().replace("maxPods", "maxPodds"))
    done = _kubeadm(
        binaries, "config", "migrate", "--old-config", str(broken), "--new-config", str(tmp_path / "new.yaml")
    )
    assert 'unknown field "maxPodds"' in done.stderr


def test_it_names_the_images(binaries: Path) -> None:
    done = _kubeadm(
        binaries, "config", "images", "list", "--config", str(golden.DIRECTORY / "1.20-init.yaml")
    )
    assert done.returncode == 0, done.stderr
    assert "k8s.gcr.io/kube-apiserver:v1.20.2" in done.stdout.splitlines()


def test_a_dry_run_of_init_goes_through(binaries: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("kubeadm's dry run needs root; run the e2e tests as root")
    etc = tmp_path / "etc"
    etc.mkdir()
    # This machine is no node-to-be, so what it lacks is no matter; "all" tolerates no other name beside it.
    text = (golden.DIRECTORY / "1.20-init.yaml").read_text()
    config = tmp_path / "init.yaml"
    config.write_text(text.replace("  ignorePreflightErrors:\n  - ImagePull\n", ""))
    # Without --upload-certs: the dry run of 1.20 looks for the token that it only pretended to store.
    kubeadm = [str(binaries / "kubeadm"), "init", "--config", str(config), "--dry-run"]
    kubeadm += ["--skip-phases=addon/coredns", "--ignore-preflight-errors=all"]
    apart = [
        "unshare",
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--mount-proc",
        "sh",
        "-c",
        _APART,
        "sh",
        str(etc),
    ]
    done = subprocess.run([*apart, *kubeadm], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "IPs [10.96.0.1 192.0.2.11 192.0.2.10]" in done.stdout
    assert "--container-runtime-endpoint=unix:///run/pycri/pycri.sock" in done.stdout
    assert "cgroupDriver: cgroupfs" in done.stdout
    assert golden.SECRETS.token not in " ".join(kubeadm)
    assert list(etc.iterdir()) == []
