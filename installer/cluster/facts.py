"""What the probe found out about a host, typed. A fact that could not be gathered is None or empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# os-release's ID: what Ansible calls the distribution, and its family.
DISTRIBUTIONS = {
    "debian": ("Debian", "Debian"),
    "ubuntu": ("Ubuntu", "Debian"),
    "fedora": ("Fedora", "RedHat"),
    "rhel": ("RedHat", "RedHat"),
    "centos": ("CentOS", "RedHat"),
    "rocky": ("Rocky", "RedHat"),
    "almalinux": ("AlmaLinux", "RedHat"),
}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class DiskSpace:
    device: int
    free_bytes: int
    free_inodes: int | None


@dataclass(frozen=True)
class HostFacts:
    """One host at one moment."""

    os_id: str
    os_like: tuple[str, ...]
    os_version: str
    os_name: str  # for people: "Debian GNU/Linux 12 (bookworm)"
    machine: str  # as uname says it: x86_64
    kernel: str
    hostname: str
    machine_id: str
    boot_id: str
    init: str
    systemd_version: int | None
    container: str | None  # systemd-nspawn, lxc, …: the host is itself a container
    selinux: str | None
    uid: int | None
    commands: Mapping[str, str | None]
    python_path: str | None
    python_version: tuple[int, ...]
    pythons: Mapping[str, str]  # name: path, of every Python 3 in the standard places
    cgroup_version: int | None
    cgroup_controllers: frozenset[str]
    modules: Mapping[str, str]  # loaded, available or missing
    capabilities: int | None  # bits, capabilities(7)
    sysctls: Mapping[str, str]
    memory_bytes: int | None
    cpus: int | None
    swaps: tuple[str, ...]
    disks: Mapping[str, DiskSpace]
    overlay_error: str | None
    overlay_directory: str | None
    networks: tuple[str, ...]  # whose addresses it reaches without a router, in CIDR notation
    listening: Mapping[int, str]  # TCP port: process name
    runtimes: Mapping[str, str]
    runtime_sockets: tuple[str, ...]
    runc_version: str | None  # the first line that it prints of itself
    managed: bool  # nodestrap set this host up before
    clock_skew: float | None  # seconds ahead of the controller
    clock_error: float  # how far off clock_skew may be: half the round trip
    failed: Mapping[str, str]  # gatherer: error

    @property
    def architecture(self) -> str | None:
        """amd64, arm64, or None for one that nodestrap does not know."""
        return ARCHITECTURES.get(self.machine)

    @property
    def os_major(self) -> str:
        """12 of 12, 22 of 22.04."""
        return self.os_version.partition(".")[0]


def facts_from_answer(answer: Mapping[str, Any], *, sent: float, received: float) -> HostFacts:
    """Type the probe's answer; ``sent`` and ``received`` are the controller's clock around it (seconds)."""
    release = answer.get("os_release") or {}
    python = answer.get("python") or {}
    return HostFacts(
        os_id=release.get("ID", "unknown"),
        os_like=tuple(release.get("ID_LIKE", "").split()),
        os_version=release.get("VERSION_ID", ""),
        os_name=release.get("PRETTY_NAME", "an unknown system"),
        machine=answer.get("machine", "unknown"),
        kernel=answer.get("kernel", "unknown"),
        hostname=answer.get("hostname", ""),
        machine_id=answer.get("machine_id", ""),
        boot_id=answer.get("boot_id", ""),
        init=answer.get("init", ""),
        systemd_version=answer.get("systemd_version"),
        container=answer.get("container"),
        selinux=answer.get("selinux"),
        uid=answer.get("uid"),
        commands=answer.get("commands") or {},
        python_path=python.get("path"),
        python_version=tuple(python.get("version") or ()),
        pythons=answer.get("pythons") or {},
        cgroup_version=answer.get("cgroup_version"),
        cgroup_controllers=frozenset(answer.get("cgroup_controllers") or ()),
        modules=answer.get("modules") or {},
        capabilities=answer.get("capabilities"),
        sysctls=answer.get("sysctls") or {},
        memory_bytes=answer.get("memory_bytes"),
        cpus=answer.get("cpus"),
        swaps=tuple(answer.get("swaps") or ()),
        disks={path: DiskSpace(**values) for path, values in (answer.get("disks") or {}).items()},
        overlay_error=answer.get("overlay_error"),
        overlay_directory=answer.get("overlay_directory"),
        networks=tuple(answer.get("networks") or ()),
        listening={int(port): name for port, name in (answer.get("listening") or {}).items()},
        runtimes=answer.get("runtimes") or {},
        runtime_sockets=tuple(answer.get("runtime_sockets") or ()),
        runc_version=answer.get("runc_version"),
        managed=bool(answer.get("managed")),
        clock_skew=answer["time"] - (sent + received) / 2 if "time" in answer else None,
        clock_error=(received - sent) / 2,
        failed=answer.get("failed") or {},
    )
