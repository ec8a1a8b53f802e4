"""Lab hosts as virtual machines: a Debian kernel of their own, cgroup v2, nothing shared but the CPU.

Each has two networks: qemu's user-mode one (the controller's way in through a forwarded port, the host's way
out, the registry at 10.0.2.2), and one that only the lab's hosts share, over multicast on loopback.
"""

from __future__ import annotations

import os
import platform
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from installer.errors import UsageError
from installer.lab import processes, ssh, tools
from installer.lab.accelerator import accelerator
from installer.lab.initramfs import Member, cpio
from installer.lab.progress import Progress
from installer.lab.resolver import hosts_file
from installer.lab.state import MARKER, Host, Lab
from installer.lab.vm_image import vm_image

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEMORY_MIB = 2048
_CPUS = 2  # kubeadm's minimum
# qemu's user-mode network, the same for every VM: its guest, its gateway (our loopback), its resolver.
_GUEST, _GATEWAY, _RESOLVER = "10.0.2.15/24", "10.0.2.2", "10.0.2.3"
# Program with machine type, and serial console, by machine. arm64 is unproven.
_QEMU = {
    "x86_64": (("qemu-system-x86_64", "-machine", "q35"), "ttyS0"),
    "aarch64": (("qemu-system-aarch64", "-machine", "virt"), "ttyAMA0"),
}

# Every character on an emulated serial line stops the machine for a moment; failures are still printed.
# No guest needs a KVM of its own, which takes seconds to find out about its hardware.
_QUIET = "quiet audit=0 systemd.show_status=auto modprobe.blacklist=kvm_amd,kvm_intel"
_UNUSED_UNITS = ("serial-getty@ttyS0.service", "serial-getty@ttyAMA0.service", "e2scrub_reap.service")


class VirtualMachines:
    """The `vm` backend."""

    boot_seconds = 600.0  # emulated, on a busy machine

    def check(self) -> None:
        """Raise UsageError, with the fix, when this machine cannot run such hosts."""
        if os.geteuid() != 0:
            raise UsageError(
                "VM labs need root: their disk is made by debootstrap.", fix="Run the same command with sudo."
            )
        tools.require(("debootstrap", "docker-registry", "busybox", "ip", "ssh", "ssh-keygen", "unshare"))
        tools.require((_qemu()[0][0], "qemu-img", "mke2fs"))

    def hosts(self, subnet: str, count: int, present: Sequence[Host]) -> tuple[Host, ...]:  # noqa: ARG002
        """`present` and as many new hosts as make `count`, each on a free port of loopback."""
        new = [Host(f"node{i}", i, "127.0.0.1", _free_port()) for i in range(len(present) + 1, count + 1)]
        return (*present, *new)

    def prepare(self, progress: Progress) -> None:
        """Have the cached disk image at hand, and know whether KVM works."""
        image = vm_image(progress)
        program, console = _qemu()
        options = accelerator([tools.path_of(program[0]), *program[1:]], image.kernel, console)
        progress.say(f"VMs run with {options[1].partition(',')[0]}")

    def connect(self, lab: Lab) -> None:
        """Nothing to make: every qemu brings its networks along."""

    def registry_address(self, lab: Lab) -> str:
        """Loopback; the port of last time, which hosts may have configured."""
        last = lab.directory / "registry" / "address"
        return last.read_text().strip() if last.exists() else "127.0.0.1:0"

    def registry_url(self, lab: Lab, address: str) -> str:  # noqa: ARG002
        """The same port on the address under which guests see our loopback."""
        return f"http://{_GATEWAY}:{address.rpartition(':')[2]}"

    def boot(self, lab: Lab, host: Host) -> None:
        """Start the host's qemu."""
        home = lab.directory_of(host)
        image = vm_image(Progress(quiet=True))
        disk = home / "disk.qcow2"
        if not disk.exists():
            backing = ("-F", "raw", "-b", str(image.disk))
            tools.run("qemu-img", "create", "-q", "-f", "qcow2", *backing, str(disk))
        archive = home / "initramfs.cpio"
        archive.write_bytes(image.initramfs.read_bytes() + cpio(_own_files(lab, host)))
        program, console = _qemu()
        qemu = [tools.path_of(program[0]), *program[1:]]
        argv = [
            *(*qemu, *accelerator(qemu, image.kernel, console)),
            *("-name", _machine(lab, host), "-smp", str(_CPUS), "-m", str(_MEMORY_MIB)),
            *("-nodefaults", "-display", "none", "-serial", f"file:{home / 'console.log'}"),
            *("-kernel", str(image.kernel), "-initrd", str(archive)),
            *(
                "-append",
                f"root=/dev/vda rw console={console} net.ifnames=0 panic=-1 {_QUIET}",
            ),
            # A crash of this machine may cost the disk, and that is all right.
            *("-drive", f"file={_commas(disk)},if=virtio,format=qcow2,cache=unsafe,discard=unmap"),
            *("-device", "virtio-rng-pci"),
            *_network(lab, host),
        ]
        processes.spawn(argv, log=home / "qemu.log", env={**os.environ, MARKER: str(lab.directory)})

    def running(self, lab: Lab, host: Host) -> bool:
        """Whether the host's qemu runs."""
        return bool(_emulators(lab, host))

    def halt(self, lab: Lab, host: Host) -> None:
        """Cut the host's power."""
        for identity in _emulators(lab, host):
            processes.stop(identity, signals=((9, 10.0),))

    def console(self, lab: Lab, host: Host) -> str:
        """What qemu and the host have printed."""
        logs = [lab.directory_of(host) / name for name in ("console.log", "qemu.log")]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())


def _own_files(lab: Lab, host: Host) -> list[Member]:
    """What makes the common disk this host's, laid over it at every boot."""
    key, machine_id = ssh.host_key(lab, host), lab.directory_of(host) / "machine-id"
    if not machine_id.exists():
        machine_id.write_text(secrets.token_hex(16) + "\n")
    neighbours = [Host(each.name, each.index, _inner_address(lab, each)) for each in lab.hosts]
    outside = f"[Network]\nAddress={_GUEST}\nGateway={_GATEWAY}\nDNS={_RESOLVER}\nIPv6AcceptRA=no\n"
    between = f"[Network]\nAddress={_inner_address(lab, host)}/24\nIPv6AcceptRA=no\n"
    texts = {
        "etc/hostname": host.name + "\n",
        "etc/machine-id": machine_id.read_text(),
        "etc/hosts": hosts_file(neighbours),
        "etc/resolv.conf": f"nameserver {_RESOLVER}\n",
        "etc/systemd/network/10-outside.network": f"[Match]\nMACAddress={_mac(lab, host, 0)}\n{outside}",
        "etc/systemd/network/20-hosts.network": f"[Match]\nMACAddress={_mac(lab, host, 1)}\n{between}",
    }
    # An emulated machine on a busy one misses systemd's deadlines for minutes, and then is well.
    texts["etc/systemd/system.conf.d/nodestrap-lab.conf"] = (
        "[Manager]\nDefaultTimeoutStartSec=10min\nDefaultDeviceTimeoutSec=10min\n"
    )
    # An empty unit file is a masked unit.
    texts |= {f"etc/systemd/system/{unit}": "" for unit in _UNUSED_UNITS}
    return [
        *(Member(f"host/{path}", text.encode()) for path, text in texts.items()),
        Member("host/root", None, 0o700),
        Member("host/root/.ssh", None, 0o700),
        Member("host/root/.ssh/authorized_keys", lab.private_key.with_suffix(".pub").read_bytes()),
        Member(f"host/etc/ssh/{key.name}", key.read_bytes(), 0o600),
        Member(f"host/etc/ssh/{key.name}.pub", key.with_suffix(".pub").read_bytes()),
    ]


def _network(lab: Lab, host: Host) -> list[str]:
    forward = f"hostfwd=tcp:{host.address}:{host.port}-:22"
    group = ".".join(["239", *(str(part) for part in bytes.fromhex(lab.tag))])
    return [
        *("-netdev", f"user,id=outside,ipv6=off,{forward}"),
        *("-device", f"virtio-net-pci,netdev=outside,romfile=,mac={_mac(lab, host, 0)}"),
        *("-netdev", f"socket,id=hosts,mcast={group}:40213,localaddr=127.0.0.1"),
        *("-device", f"virtio-net-pci,netdev=hosts,romfile=,mac={_mac(lab, host, 1)}"),
    ]


def _mac(lab: Lab, host: Host, card: int) -> str:
    """Locally administered, unique to lab, host and card."""
    return ":".join(f"{byte:02x}" for byte in (0x52, 0x54 + card, *bytes.fromhex(lab.tag), host.index))


def _inner_address(lab: Lab, host: Host) -> str:
    return lab.address_of(10 + host.index)


def _emulators(lab: Lab, host: Host) -> list[processes.ProcessId]:
    name = _machine(lab, host)
    return [identity for identity, argv in processes.find(MARKER, str(lab.directory)) if name in argv]


def _machine(lab: Lab, host: Host) -> str:
    return f"nslab-{lab.tag}-{host.name}"


def _qemu() -> tuple[tuple[str, ...], str]:
    try:
        return _QEMU[platform.machine()]
    except KeyError:
        raise UsageError(f"VM labs run on {' and '.join(_QEMU)}, not on {platform.machine()}.") from None


def _commas(path: Path) -> str:
    """`path` inside a qemu option, where a comma is written twice."""
    return str(path).replace(",", ",,")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
