"""Each check: silent on a healthy host, and one sickness at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from installer.cluster.facts import DiskSpace
from installer.preflight.finding import Severity, Subject
from installer.preflight.matrix import CHECKS
from tests.unit.installer.hosts import GIB, HEALTHY, host

_ALL_CAPABILITIES = HEALTHY.capabilities or 0
_CGROUP_V1 = frozenset({"blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"})
_NSPAWN: dict[str, Any] = {
    "container": "systemd-nspawn",
    "cgroup_version": 1,
    "cgroup_controllers": _CGROUP_V1,
    "capabilities": _ALL_CAPABILITIES & ~(1 << 24),
    "modules": {**HEALTHY.modules, "nf_tables": "missing"},
}


def _findings(check: str, **facts: Any) -> list[tuple[Severity, str]]:
    subject_host = host(facts=replace(HEALTHY, **facts))
    assert subject_host.facts is not None
    other = replace(HEALTHY, hostname="node2", machine_id="2" * 32)
    subject = Subject(subject_host, subject_host.facts, {"node1": subject_host.facts, "node2": other})
    found = list(CHECKS[check](subject))
    assert all(finding.fix for finding in found), "every finding has its fix"
    return [(finding.severity, finding.reason) for finding in found]


@pytest.mark.parametrize("check", CHECKS)
def test_healthy_host_has_no_finding(check: str) -> None:
    assert _findings(check) == []


@pytest.mark.parametrize("check", CHECKS)
def test_lab_container_has_warnings_at_most(check: str) -> None:
    assert all(severity is Severity.WARNING for severity, _ in _findings(check, **_NSPAWN))


@pytest.mark.parametrize(
    ("check", "facts", "reason"),
    [
        ("facts", {"failed": {"disks": "OSError: no"}}, "'disks' failed"),
        ("os", {"machine": "riscv64"}, "architecture is riscv64"),
        ("os", {"os_id": "arch", "os_name": "Arch Linux"}, "Arch Linux"),
        ("os", {"init": "runit"}, "PID 1 is runit"),
        ("python", {"python_path": None, "python_version": ()}, "no python3"),
        ("python", {"python_version": (3, 6, 8)}, "Python 3.6.8"),
        ("privileges", {"uid": 1000}, "uid 1000"),
        ("cgroups", {"cgroup_version": None}, "could not be read"),
        (
            "cgroups",
            {"cgroup_controllers": frozenset({"cpu", "cpuset", "pids", "io", "hugetlb"})},
            "memory are",
        ),
        ("modules", {"modules": {**HEALTHY.modules, "br_netfilter": "missing"}}, "br_netfilter"),
        (
            "modules",
            {"modules": {**HEALTHY.modules, "ip_tables": "missing", "nf_tables": "missing"}},
            "neither ip_tables nor nf_tables",
        ),
        ("overlayfs", {"overlay_error": "Invalid argument"}, "Invalid argument"),
        ("ports", {"listening": {10250: "nginx"}}, "10250 is in use by nginx; kubelet needs it"),
        ("ports", {"listening": {6443: "unknown"}}, "6443 is in use by unknown"),
        ("disk", {"disks": {"/var/lib": DiskSpace(1, GIB // 2, None)}}, "512 MiB free; 1.0 GiB are needed"),
        ("disk", {"disks": {"/var/lib/containerd": DiskSpace(1, 90 * GIB, 5)}}, "5 inodes"),
        ("memory", {"memory_bytes": 256 << 20}, "256 MiB"),
        ("clock", {"clock_skew": 3600.0}, "3600 s ahead of the other hosts"),
        ("identity", {"hostname": "node2"}, "also that of node2"),
        ("identity", {"machine_id": "2" * 32}, "clones of one image"),
        ("identity", {"machine_id": ""}, "no machine-id"),
        ("identity", {"hostname": "under_score"}, "cannot name a node"),
        (
            "runtime",
            {
                "runtimes": {"dockerd": "/usr/bin/dockerd"},
                "runtime_sockets": ("/run/containerd/containerd.sock",),
            },
            "configuration will be replaced",
        ),
        ("capabilities", {"capabilities": _ALL_CAPABILITIES & ~(1 << 21)}, "SYS_ADMIN"),
    ],
)
def test_errors(check: str, facts: dict[str, Any], reason: str) -> None:
    errors = [text for severity, text in _findings(check, **facts) if severity is Severity.ERROR]
    assert any(reason in text for text in errors), errors


@pytest.mark.parametrize(
    ("check", "facts", "reason"),
    [
        ("os", {"os_id": "ubuntu", "os_version": "24.04", "os_name": "Ubuntu 24.04"}, "not proven"),
        ("python", {"python_version": (3, 9, 1)}, "pycri needs 3.10"),
        ("cgroups", {"cgroup_version": 1, "cgroup_controllers": _CGROUP_V1 | {"hugetlb"}}, "cgroup v1"),
        ("swap", {"swaps": ("/dev/sda2",)}, "/dev/sda2"),
        ("runc", {"runc_version": "runc version 1.1.5+ds1"}, "CVE-2024-21626"),
        ("disk", {"disks": {"/var/lib": DiskSpace(1, 5 * GIB, 500_000)}}, "5.0 GiB free"),
        ("memory", {"memory_bytes": 1 << 30}, "kubeadm wants 1700 MB"),
        ("memory", {"cpus": 1}, "one CPU"),
        ("clock", {"clock_skew": -5.0}, "5 s behind"),
        ("runtime", {"runtimes": {"crio": "/usr/bin/crio"}}, "CRI-O"),
        ("capabilities", {"capabilities": _ALL_CAPABILITIES & ~(1 << 24)}, "SYS_RESOURCE"),
    ],
)
def test_warnings(check: str, facts: dict[str, Any], reason: str) -> None:
    found = _findings(check, **facts)
    assert [severity for severity, _ in found] == [Severity.WARNING]
    assert reason in found[0][1]


def test_ports_of_a_running_node_are_its_own() -> None:
    running = {10250: "kubelet", 6443: "kube-apiserver", 2379: "etcd", 10257: "kube-controller"}
    assert _findings("ports", listening=running) == []


def test_worker_needs_the_kubelet_port_alone() -> None:
    worker = replace(host(), groups=frozenset({"workers"}))
    facts = replace(HEALTHY, listening={6443: "nginx"})
    assert list(CHECKS["ports"](Subject(worker, facts, {}))) == []


def test_own_runtime_is_no_surprise() -> None:
    facts = {
        "managed": True,
        "runtimes": {"containerd": "/usr/bin/containerd", "pycri": "/usr/local/bin/pycri"},
        "runtime_sockets": ("/run/containerd/containerd.sock",),
    }
    assert _findings("runtime", **facts) == []


_AS_NODES = {"node1": ("192.0.2.11",), "node2": ("198.51.100.12",)}


@pytest.mark.parametrize(
    ("variables", "networks", "found"),
    [
        ({"kubernetes_version": "1.31.4"}, ("192.0.2.0/24",), ["node2 (198.51.100.12)"]),
        ({"kubernetes_version": "1.31.4"}, ("192.0.2.0/24", "198.51.100.0/24"), []),
        ({"kubernetes_version": "1.31.4", "pod_network": "manifest"}, ("192.0.2.0/24",), []),
        ({}, ("192.0.2.0/24",), []),
    ],
)
def test_routed_pods_need_neighbours(
    variables: dict[str, Any], networks: tuple[str, ...], found: list[str]
) -> None:
    facts = replace(HEALTHY, networks=networks)
    subject = Subject(host(facts=facts, **variables), facts, {}, _AS_NODES)
    reasons = [finding.reason.partition(" is behind")[0] for finding in CHECKS["adjacency"](subject)]
    assert reasons == found


@pytest.mark.parametrize(
    ("skews", "reference"), [([-400.0], 0.0), ([-400.0, 1.0], 0.0), ([-400.0, 1.0, 2.0], 1.0), ([], 0.0)]
)
def test_the_clock_that_counts_as_right(skews: list[float], reference: float) -> None:
    from installer.preflight.checks.clock import reference_of

    assert reference_of(skews) == reference
