"""The whole path on a host with a kernel of its own: cgroup v2 and the systemd cgroup driver.

The machine is emulated where there is no KVM, and takes minutes; one does for all tests, in their order.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from installer.lab.standard_images import debian_architecture
from tests.e2e.test_lab import PROVISIONED, LabCommand
from tests.support.command import Nodestrap

pytestmark = [pytest.mark.e2e, pytest.mark.vm, pytest.mark.timeout(2400)]

LAB = "machine"
# cgroup v2, the systemd driver, AppArmor and a full set of capabilities: the other hosts have none of them
ONLY_HERE = (
    *("pod.cgroup-parent", "container.resources", "container.update"),
    *("container.unified", "container.hugepages", "container.swap", "container.oom-score"),
    *("container.oom-killed", "container.apparmor"),
)


@pytest.fixture(scope="module")
def machine() -> Iterator[Nodestrap]:
    assert os.geteuid() == 0, "the lab's tests need root: run scripts/test vm as root"
    home = Path("/tmp") / f"nodestrap-vm-{os.getpid()}"
    home.mkdir(mode=0o700)
    nodestrap = Nodestrap(home)
    try:
        nodestrap.lab_up(LAB, "--backend", "vm")
        yield nodestrap
    finally:
        nodestrap.lab_down(LAB)
        assert LabCommand(home).traces(LAB) == {}
        shutil.rmtree(home)


def test_a_host_is_debian_13_on_cgroup_v2(machine: Nodestrap) -> None:
    assert machine.on(LAB, "node1", "stat -fc %T /sys/fs/cgroup").strip() == "cgroup2fs"
    assert "VERSION_CODENAME=trixie" in machine.on(LAB, "node1", "cat /etc/os-release")
    name, kernel = machine.on(LAB, "node1", "uname -nr").split()
    assert name == "node1"
    assert kernel != os.uname().release


def test_a_host_starts_bare(machine: Nodestrap) -> None:
    labs = json.loads(machine("lab", "list", "-v", "--json").stdout)
    (host,) = next(lab for lab in labs if lab["name"] == LAB)["hosts"]
    names = {package.split()[0] for package in host["packages"]}
    assert {"systemd", "openssh-server", f"linux-image-cloud-{debian_architecture()}"} <= names
    assert not names & set(PROVISIONED)


def test_a_host_reaches_the_registry_and_the_package_archive(machine: Nodestrap) -> None:
    mirrors = yaml.safe_load((machine.inventory(LAB) / "group_vars/all.yml").read_text())
    base = mirrors["containerd_registry_mirrors"]["registry.k8s.io"][0]
    script = f"import urllib.request as u; print(u.urlopen('{base}/v2/_catalog', timeout=30).status)"
    assert machine.on(LAB, "node1", f'python3 -c "{script}"').strip() == "200"
    machine.on(LAB, "node1", "apt-get -qq -y --download-only install hello")


def test_a_host_can_load_what_kubernetes_needs(machine: Nodestrap) -> None:
    machine.on(LAB, "node1", "modprobe -a overlay br_netfilter")


def test_it_becomes_a_verified_node(machine: Nodestrap) -> None:
    inventory = str(machine.inventory(LAB))
    first = machine.json("up", "-i", inventory, "--until", "runtime")
    assert [host["state"] for host in first["hosts"]] == ["changed"]
    second = machine.json("up", "-i", inventory, "--until", "runtime")
    assert [host["state"] for host in second["hosts"]] == ["ok"]
    outcomes = verified(machine, "T0", "T1", "T2")
    for name in ONLY_HERE:
        assert outcomes[name][0] == "pass", outcomes[name]
    print(json.dumps({"first": first["phases"], "second": second["phases"]}))


def test_a_clock_of_its_own_can_be_wrong(machine: Nodestrap) -> None:
    inventory = str(machine.inventory(LAB))
    assert machine.json("doctor", "-i", inventory)["exit_code"] == 0
    machine.on(LAB, "node1", "date -s -400seconds")
    sick = machine.json("doctor", "-i", inventory, code=12)
    assert sick["hosts"][0]["findings"][0]["cause"] == "clock-skew"
    machine.on(LAB, "node1", "date -s +400seconds")


def test_a_node_without_power_comes_back(machine: Nodestrap) -> None:
    machine.on(LAB, "node1", "cp /etc/machine-id /root/kept && sync")
    machine("lab", "stop", "--name", LAB, "node1")
    labs = json.loads(machine("lab", "list", "--json").stdout)
    assert [host["running"] for host in next(lab for lab in labs if lab["name"] == LAB)["hosts"]] == [False]
    machine.lab_up(LAB)
    machine.on(LAB, "node1", "cmp /etc/machine-id /root/kept")
    machine.on(LAB, "node1", "systemctl is-system-running --wait || true")  # sshd answers long before
    verified(machine, "T0")


def verified(machine: Nodestrap, *tiers: str) -> dict[str, Any]:
    """Outcome and evidence of each check, none of which failed."""
    words = [word for tier in tiers for word in ("--tier", tier)]
    said = machine("verify", "-i", str(machine.inventory(LAB)), *words, "--json", timeout=1500).stdout
    (report,) = json.loads(said)["endpoints"]
    return {each["id"]: (each["outcome"], each["evidence"]) for each in report["checks"]}
