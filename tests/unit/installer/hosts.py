"""Hosts as tests need them: healthy ones, to be made sick in one respect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from installer.cluster.facts import DiskSpace, HostFacts
from installer.cluster.spec import ClusterSpec, HostSpec
from installer.ssh.settings import connection_settings

GIB = 1 << 30

HEALTHY = HostFacts(
    os_id="debian",
    os_like=(),
    os_version="12",
    os_name="Debian GNU/Linux 12 (bookworm)",
    machine="x86_64",
    kernel="6.1.0",
    hostname="node1",
    machine_id="0" * 31 + "1",
    boot_id="b",
    init="systemd",
    systemd_version=252,
    container=None,
    selinux=None,
    uid=0,
    commands={},
    python_path="/usr/bin/python3",
    python_version=(3, 11, 2),
    pythons={"python3": "/usr/bin/python3"},
    cgroup_version=2,
    cgroup_controllers=frozenset({"cpu", "cpuset", "memory", "pids", "io", "hugetlb"}),
    modules=dict.fromkeys(("overlay", "br_netfilter", "nf_conntrack", "ip_tables", "nf_tables"), "loaded"),
    capabilities=(1 << 41) - 1,
    sysctls={},
    memory_bytes=8 * GIB,
    cpus=4,
    swaps=(),
    disks={path: DiskSpace(1, 100 * GIB, 1_000_000) for path in ("/var/lib", "/opt", "/tmp")},
    overlay_error=None,
    overlay_directory="/var/lib/containerd",
    networks=("192.0.2.0/24",),
    listening={22: "sshd"},
    runtimes={},
    runtime_sockets=(),
    runc_version=None,
    managed=False,
    clock_skew=0.0,
    clock_error=0.1,
    failed={},
)


def host(name: str = "node1", facts: HostFacts | None = HEALTHY, **variables: Any) -> HostSpec:
    """A control-plane host with these inventory variables; its facts get its name."""
    if facts is not None and facts.hostname == HEALTHY.hostname:
        facts = replace(facts, hostname=name)
    if facts is not None and facts.machine_id == HEALTHY.machine_id:
        facts = replace(facts, machine_id=name.encode().hex().rjust(32, "0"))
    return HostSpec(
        name=name,
        groups=frozenset({"control_plane", "nodes", "all"}),
        connection=connection_settings(name, variables),
        variables=variables,
        facts=facts,
    )


def cluster(*hosts: HostSpec, state_dir: Path, **changes: Any) -> ClusterSpec:
    spec = ClusterSpec(
        name="test",
        inventory=(),
        hosts=hosts,
        excluded=(),
        unmatched=(),
        known_hosts_file=state_dir / "known_hosts",
        state_dir=state_dir,
    )
    return replace(spec, **changes)
