"""VMs: accelerator, addresses, files of their own. (Booting one: tests/e2e/test_vm.py.)"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from installer.errors import UsageError
from installer.lab import accelerator as module
from installer.lab import vm
from installer.lab.accelerator import accelerator
from installer.lab.state import Host, Lab

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Qemu = tuple[list[str], "Path"]


@pytest.fixture
def fake_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Qemu]:
    """A `qemu` that runs a shell script, and a kernel beside which the answer may be kept."""
    busybox, kernel = tmp_path / "busybox", tmp_path / "vmlinuz"
    busybox.write_bytes(b"elf")
    monkeypatch.setattr(module, "static_busybox", lambda: busybox)
    monkeypatch.setattr(module.os, "access", lambda *_: True)

    def make(script: str) -> Qemu:
        program = tmp_path / "qemu-system-x86_64"
        program.write_text(f"#!/bin/sh\necho run >>{tmp_path}/runs\n{script}\n")
        program.chmod(0o755)
        return [str(program)], kernel

    return make


def test_kvm_is_used_when_a_guest_really_ran(fake_qemu: Callable[[str], Qemu], tmp_path: Path) -> None:
    qemu, kernel = fake_qemu("echo nodestrap: the guest runs")
    assert accelerator(qemu, kernel, "ttyS0")[:2] == ["-accel", "kvm"]
    assert accelerator(qemu, kernel, "ttyS0")[:2] == ["-accel", "kvm"]
    assert (tmp_path / "runs").read_text().count("run") == 1  # remembered until the next boot
    (tmp_path / "accelerator").write_text("another-boot tcg\n")
    assert accelerator(qemu, kernel, "ttyS0")[:2] == ["-accel", "kvm"]


@pytest.mark.parametrize("script", ["exit 1", "echo 'KVM internal error. Suberror: 1'; exec sleep 60"])
def test_kvm_that_fails_in_the_guest_is_not_used(fake_qemu: Callable[[str], Qemu], script: str) -> None:
    qemu, kernel = fake_qemu(script)
    assert accelerator(qemu, kernel, "ttyS0") == ["-accel", "tcg,thread=multi", "-cpu", "max"]


def test_without_the_device_nothing_is_tried(
    fake_qemu: Callable[[str], Qemu], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    qemu, kernel = fake_qemu("echo nodestrap: the guest runs")
    assert accelerator(qemu, kernel, "ttyS0")[1].startswith("tcg")
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    hosts = vm.VirtualMachines().hosts("10.213.7.0/24", 2, ())
    made = Lab("vms", "vm", "10.213.7.0/24", tmp_path / "inventory", hosts)
    for host in hosts:
        directory = made.directory_of(host)
        directory.mkdir(parents=True)
        (directory / "ssh_host_ed25519_key").write_text("secret")
        (directory / "ssh_host_ed25519_key.pub").write_text("public")
    (made.directory / "id_ed25519.pub").write_text("mine")
    return made


def test_every_host_has_a_port_of_its_own_and_keeps_it(lab: Lab) -> None:
    assert len({host.port for host in lab.hosts}) == 2
    assert vm.VirtualMachines().hosts(lab.subnet, 3, lab.hosts)[:2] == lab.hosts


def test_a_host_gets_its_identity_and_keeps_its_machine_id(lab: Lab) -> None:
    files = {member.path: member for member in vm._own_files(lab, lab.hosts[0])}
    assert files["host/etc/hostname"].content == b"node1\n"
    assert files["host/etc/ssh/ssh_host_ed25519_key"].mode == 0o600
    assert files["host/root"].mode == 0o700
    hosts = files["host/etc/hosts"].content or b""
    assert b"10.213.7.11 node1\n10.213.7.12 node2\n" in hosts
    again = {member.path: member for member in vm._own_files(lab, lab.hosts[0])}
    other = {member.path: member for member in vm._own_files(lab, lab.hosts[1])}
    assert again["host/etc/machine-id"] == files["host/etc/machine-id"]
    assert other["host/etc/machine-id"] != files["host/etc/machine-id"]


def test_hardware_addresses_are_local_unicast_and_unique(lab: Lab) -> None:
    addresses = {vm._mac(lab, host, card) for host in lab.hosts for card in (0, 1)}
    assert len(addresses) == 4
    assert {int(address[:2], 16) & 3 for address in addresses} == {2}


def test_the_registry_keeps_its_port(lab: Lab) -> None:
    backend = vm.VirtualMachines()
    assert backend.registry_address(lab) == "127.0.0.1:0"
    (lab.directory / "registry").mkdir()
    (lab.directory / "registry/address").write_text("127.0.0.1:41234\n")
    assert backend.registry_url(lab, backend.registry_address(lab)) == "http://10.0.2.2:41234"


def test_another_architecture_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm.platform, "machine", lambda: "riscv64")
    with pytest.raises(UsageError, match="not on riscv64"):
        vm._qemu()


def test_a_comma_in_a_path_does_not_end_the_option(tmp_path: Path) -> None:
    assert vm._commas(tmp_path / "a,b") == os.fspath(tmp_path / "a,,b")


def test_user_mode_port_is_forwarded_to_sshd(lab: Lab) -> None:
    host = Host("node1", 1, "127.0.0.1", 2201)
    assert "user,id=outside,ipv6=off,hostfwd=tcp:127.0.0.1:2201-:22" in vm._network(lab, host)
