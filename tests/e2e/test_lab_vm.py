"""A lab host with a kernel of its own. Minutes where the machine is emulated."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from installer.lab.standard_images import debian_architecture
from tests.e2e.test_lab import PROVISIONED, LabCommand

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.vm, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def lab() -> Iterator[LabCommand]:
    assert os.geteuid() == 0, "the lab's tests need root: run scripts/test vm as root"
    home = Path("/tmp") / f"nodestrap-lab-vm-{os.getpid()}"
    home.mkdir(mode=0o700)
    command = LabCommand(home)
    yield command
    command("down", "--all")
    assert command.traces("vms") == {}
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def vms(lab: LabCommand) -> str:
    inventory = str(lab.home / "inventories" / "vms")
    lab("up", "--name", "vms", "--backend", "vm", "--inventory", inventory, timeout=1500)
    return "vms"


def test_a_host_is_debian_13_on_cgroup_v2(lab: LabCommand, vms: str) -> None:
    assert lab("exec", "--name", vms, "node1", "stat", "-fc", "%T", "/sys/fs/cgroup").strip() == "cgroup2fs"
    release = lab("exec", "--name", vms, "node1", "cat", "/etc/os-release")
    assert "VERSION_CODENAME=trixie" in release
    name, kernel = lab("exec", "--name", vms, "node1", "uname", "-nr").split()
    assert name == "node1"
    assert kernel != os.uname().release


def test_a_host_starts_bare(lab: LabCommand, vms: str) -> None:
    (host,) = lab.listed(vms, "-v")["hosts"]
    names = {package.split()[0] for package in host["packages"]}
    assert {"systemd", "openssh-server", f"linux-image-cloud-{debian_architecture()}"} <= names
    assert not names & set(PROVISIONED)


def test_a_host_reaches_the_registry_and_the_package_archive(lab: LabCommand, vms: str) -> None:
    mirrors = yaml.safe_load((lab.home / "inventories" / vms / "group_vars/all.yml").read_text())
    base = mirrors["containerd_registry_mirrors"]["registry.k8s.io"][0]
    script = f"import urllib.request as u; print(u.urlopen('{base}/v2/_catalog', timeout=30).status)"
    assert lab("exec", "--name", vms, "node1", "python3", "-c", script).strip() == "200"
    lab("exec", "--name", vms, "node1", "apt-get", "-qq", "-y", "--download-only", "install", "hello")


def test_a_host_can_load_what_kubernetes_needs(lab: LabCommand, vms: str) -> None:
    lab("exec", "--name", vms, "node1", "modprobe", "-a", "overlay", "br_netfilter")


def test_power_off_and_on_keeps_the_disk(lab: LabCommand, vms: str) -> None:
    lab("exec", "--name", vms, "node1", "sh", "-c", "cp /etc/machine-id /root/kept && sync")
    lab("stop", "--name", vms, "node1")
    assert [host["running"] for host in lab.listed(vms)["hosts"]] == [False]
    lab("up", "--name", vms, "--inventory", str(lab.home / "inventories" / vms), timeout=900)
    lab("exec", "--name", vms, "node1", "cmp", "/etc/machine-id", "/root/kept")
