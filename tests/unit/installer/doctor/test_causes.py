"""Each fault is ranked first; what only looks like it is not taken for it; a healthy host has none."""

from __future__ import annotations

from typing import Any

import pytest

from installer.doctor.diagnose import CAUSES
from installer.doctor.evidence import Failure
from tests.unit.installer.doctor.sick import (
    KUBELET,
    PYCRI,
    causes,
    certificate,
    crash_looping,
    died,
    findings,
    healthy,
    said,
)

CONFIG = "/var/lib/kubelet/config.yaml"
GIB = 1 << 30
NO_SPACE = "write /var/lib/kubelet/x: no space left on device"
API_GONE = (
    "E1 reflector.go:138] Failed to watch *v1.Node: Get "
    '"https://10.0.0.11:6443/api/v1/nodes": dial tcp 10.0.0.11:6443: connect: connection refused'
)


def cgroup_driver(document: dict[str, Any], driver: str) -> None:
    lines = [line for line in document["settings"][CONFIG].splitlines() if "cgroupDriver" not in line]
    document["settings"][CONFIG] = "\n".join([*lines, f"cgroupDriver: {driver}\n"])


def no_control_plane(document: dict[str, Any]) -> None:
    """A worker that has not joined yet: a kubelet with a bootstrap token, and no static pods."""
    document["manifests"] = []
    document["endpoints"][PYCRI]["containers"] = []
    document["listening"] = {"22": "sshd"}
    document["present"] = ["/etc/kubernetes/bootstrap-kubelet.conf"]
    document["certificates"] = {}


@pytest.mark.parametrize("name", ["control-plane", "runtime-only"])
def test_a_healthy_host_has_no_cause(name: str) -> None:
    assert causes(healthy(name)) == []


def test_wrong_cgroup_driver() -> None:
    host = healthy()
    cgroup_driver(host, "systemd")
    host["endpoints"][PYCRI]["cgroup_driver"] = "cgroupfs"
    crash_looping(host, KUBELET, 'F1 server.go] failed to run Kubelet: cgroup driver "systemd" differs')
    assert causes(host)[0] == "cgroup-driver"
    assert "config.yaml: cgroupDriver: systemd" in findings(host)[0].finding.evidence


def test_a_cgroup_driver_that_nobody_asks_for_is_none() -> None:
    """Kubelets from 1.31 on take the runtime's, whatever the file says."""
    host = healthy()
    cgroup_driver(host, "systemd")
    host["endpoints"][PYCRI]["cgroup_driver"] = "cgroupfs"
    host["kubelet_version"] = "Kubernetes v1.33.1"
    assert causes(host) == []


def test_an_unset_cgroup_driver_means_cgroupfs() -> None:
    host = healthy()
    host["settings"][CONFIG] = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    host["endpoints"][PYCRI]["cgroup_driver"] = "cgroupfs"
    assert causes(host) == []
    host["endpoints"][PYCRI]["cgroup_driver"] = "systemd"
    assert causes(host) == ["cgroup-driver"]


def missing_pause(document: dict[str, Any], image: str = "registry.example/pause:3.9") -> None:
    document["endpoints"][PYCRI] |= {"sandbox_image": image, "sandbox_image_present": False}


def test_missing_pause_image() -> None:
    host = healthy()
    missing_pause(host)
    said(host, "pycri.service", "ERROR RunPodSandbox failed: pull of registry.example/pause:3.9: no route")
    assert causes(host)[0] == "pause-image"
    assert "registry.example/pause:3.9" in findings(host)[0].finding.evidence


def test_another_image_that_cannot_be_pulled_is_no_missing_pause_image() -> None:
    host = healthy()
    said(host, "pycri.service", "ERROR PullImage failed: pull of registry.example/app:1: no route")
    said(host, KUBELET, 'E1 pod_workers.go:191] Error syncing pod: ErrImagePull: "registry.example/app:1"')
    assert causes(host) == []


def test_a_pause_image_that_nobody_has_missed_yet_is_a_warning() -> None:
    host = healthy()
    missing_pause(host)
    assert causes(host) == []
    assert "pause-image" in [each.name for each in findings(host)]
    missing_pause(host, "localhost/pycri-pause:1")  # carried by the daemon
    assert "pause-image" not in [each.name for each in findings(host)]


def test_dead_etcd() -> None:
    host = healthy()
    log = (
        "panic: tocommit(11) is out of range [lastIndex(3)]. Was the raft log corrupted, truncated, or lost?"
    )
    died(host, "etcd", "etcdmain: starting", log, code=2)
    died(
        host, "kube-apiserver", "W dial tcp 127.0.0.1:2379: connect: connection refused", "F context deadline"
    )
    del host["listening"]["6443"]
    said(host, KUBELET, API_GONE)
    assert causes(host) == ["etcd-dead", "static-pod-dead", "api-unreachable"]
    assert "raft log corrupted" in findings(host)[0].finding.evidence


def test_a_dead_api_server_is_no_dead_etcd() -> None:
    host = healthy()
    died(host, "kube-apiserver", "Error: unknown flag: --enable-admission-plugin")
    del host["listening"]["6443"]
    said(host, KUBELET, API_GONE)
    assert causes(host)[0] == "static-pod-dead"
    assert "etcd-dead" not in causes(host)


def test_an_etcd_that_was_restarted_and_lives_is_not_dead() -> None:
    host = healthy()
    for container in host["endpoints"][PYCRI]["containers"]:
        container["attempt"] = 3
    assert causes(host) == []


def test_expired_token_told_by_the_kubelet() -> None:
    host = healthy()
    no_control_plane(host)
    crash_looping(
        host,
        KUBELET,
        "E1125 17:04:21.877081 1850 certificate_manager.go:437] Failed while requesting a signed certificate "
        "from the master: cannot create certificate signing request: Unauthorized",
    )
    assert causes(host)[0] == "expired-token"


def test_expired_token_told_by_kubeadm() -> None:
    """Its discovery leaves nothing on the host: nodestrap's journal knows."""
    host = healthy("runtime-only")
    reason = (
        "kubeadm join failed:\nerror execution phase preflight: couldn't validate the API Server: "
        'could not find a JWS signature in the cluster-info ConfigMap for token ID "abcdef"'
    )
    assert causes(host, last_failure=Failure("join", reason)) == ["expired-token"]
    other = Failure("join", "couldn't validate the identity of the API Server: dial tcp: i/o timeout")
    assert causes(host, last_failure=other) == []


def test_expired_token_told_by_kubeadm_that_had_a_discovery_file() -> None:
    host = healthy("runtime-only")
    reason = (
        "kubeadm join failed. It ended with:\nerror execution phase preflight: "
        "unable to fetch the kubeadm-config ConfigMap: failed to get config map: Unauthorized"
    )
    assert causes(host, last_failure=Failure("join", reason)) == ["expired-token"]
    registry = "image.pull: https://registry.example/v2/: 401 Unauthorized"
    assert causes(host, last_failure=Failure("runtime", registry)) == []


def test_a_joined_node_that_is_unauthorized_has_no_expired_token() -> None:
    host = healthy()
    said(host, KUBELET, "E1 reflector.go] certificate signing request: Unauthorized")
    path = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    host["certificates"][path] = [certificate(days=-1)]
    assert causes(host) == ["certificate"]


def test_a_joining_node_without_an_api_server_has_no_expired_token() -> None:
    host = healthy()
    no_control_plane(host)
    crash_looping(host, KUBELET, API_GONE)
    assert causes(host)[0] == "api-unreachable"
    assert "expired-token" not in causes(host)


def test_full_disk() -> None:
    host = healthy()
    host["filesystems"]["/var/lib/containerd"] |= {"free_bytes": 0}
    died(host, "etcd", f"panic: {NO_SPACE}")
    crash_looping(host, "containerd.service", NO_SPACE)
    assert causes(host)[0] == "full-disk"
    assert NO_SPACE in findings(host)[0].finding.evidence


def test_no_inodes_is_a_full_disk_too() -> None:
    host = healthy()
    host["filesystems"]["/"] |= {"free_inodes": 3}
    assert causes(host) == ["full-disk"]


def test_a_disk_that_fills_is_a_warning_and_a_busy_one_nothing() -> None:
    host = healthy()
    host["filesystems"]["/"] |= {"size_bytes": 100 * GIB, "free_bytes": 5 * GIB}
    assert causes(host) == []
    assert "full-disk" in [each.name for each in findings(host)]
    host["filesystems"]["/"] |= {"free_bytes": 15 * GIB}
    assert "full-disk" not in [each.name for each in findings(host)]


def test_used_up_inotify_watches_are_no_full_disk() -> None:
    """The kernel answers with the same error."""
    host = healthy()
    said(
        host,
        KUBELET,
        "E1 watcher.go] failed to watch: inotify_add_watch /sys/fs/cgroup: no space left on device",
    )
    assert causes(host) == ["inotify"]


def test_a_read_only_file_system() -> None:
    host = healthy()
    host["filesystems"]["/var/lib/containerd"] |= {"read_only": True}
    assert causes(host) == ["read-only"]


def test_clock_skew() -> None:
    host = healthy()
    crash_looping(host, KUBELET, "F1 x509: certificate has expired or is not yet valid: current time")
    assert causes(host, clock_ahead=-400.0)[0] == "clock-skew"
    assert causes(host, clock_ahead=400.0)[0] == "clock-skew"


def test_an_expired_certificate_is_no_clock_skew() -> None:
    host = healthy()
    host["certificates"]["/etc/kubernetes/pki/apiserver.crt"] = [certificate(days=-2)]
    crash_looping(host, KUBELET, "F1 x509: certificate has expired or is not yet valid: current time")
    assert causes(host)[0] == "certificate"
    assert "clock-skew" not in causes(host)


def test_a_clock_read_over_a_slow_line_is_not_skewed() -> None:
    assert causes(healthy(), clock_ahead=-40.0, clock_error=45.0) == []


def test_certificates_that_end_soon_or_begin_tomorrow() -> None:
    host = healthy()
    host["certificates"]["/etc/kubernetes/pki/apiserver.crt"] = [certificate(days=5)]
    assert causes(host) == []
    assert "certificate" in [each.name for each in findings(host)]
    host["certificates"]["/etc/kubernetes/pki/apiserver.crt"] = [certificate(days=300, begin_days=1)]
    assert causes(host) == ["certificate"]


def test_wrong_cri_socket() -> None:
    host = healthy()
    wrong = "/run/crio/crio.sock"
    host["configured_endpoint"] = wrong
    host["sockets"][wrong] = "missing"
    crash_looping(host, KUBELET, f"F1 dial unix {wrong}: connect: no such file or directory")
    assert causes(host)[0] == "wrong-socket"
    assert wrong in findings(host)[0].finding.evidence


def test_a_socket_without_a_cri_is_a_wrong_one() -> None:
    host = healthy()
    wrong = "/run/containerd/containerd.sock"
    host["configured_endpoint"] = wrong
    host["endpoints"][wrong] = {"error": "unknown service runtime.v1.RuntimeService"}
    assert causes(host)[0] == "wrong-socket"


def test_no_socket_at_all_is_a_wrong_one() -> None:
    host = healthy()
    host["configured_endpoint"] = None
    assert causes(host)[0] == "wrong-socket"


def test_a_right_socket_of_a_dead_runtime_is_no_wrong_one() -> None:
    host = healthy()
    host["sockets"][PYCRI] = "connection refused"
    del host["endpoints"][PYCRI]
    crash_looping(host, "pycri.service", "ConfigError: /etc/pycri/config.toml:3: unknown key 'drivr'")
    crash_looping(host, KUBELET, f"F1 dial unix {PYCRI}: connect: connection refused")
    assert causes(host)[:2] == ["runtime-down", "kubelet-down"]
    assert "unknown key" in findings(host)[0].finding.evidence


@pytest.mark.parametrize(
    ("port", "owner"), [("10250", "kubelet"), ("2379", "etcd"), ("6443", "kube-apiserver")]
)
def test_port_taken(port: str, owner: str) -> None:
    host = healthy()
    host["listening"][port] = "nginx"
    bind = f"listen tcp 0.0.0.0:{port}: bind: address already in use"
    if owner == "kubelet":
        crash_looping(host, KUBELET, f"F1 server.go] {bind}")
    else:
        died(host, owner, f"F {bind}")
    assert causes(host)[0] == "port-taken"
    assert "address already in use" in findings(host)[0].finding.evidence


def test_a_port_that_the_node_does_not_need_may_be_taken() -> None:
    host = healthy()
    host["listening"]["8080"] = "nginx"
    died(host, "kube-scheduler", "F listen tcp 127.0.0.1:8080: bind: address already in use")
    assert causes(host) == ["static-pod-dead"]


def test_a_dead_containerd() -> None:
    host = healthy()
    host["units"]["containerd.service"] |= {
        "ActiveState": "inactive",
        "SubState": "dead",
        "active_seconds": None,
    }
    assert causes(host) == ["runtime-down"]


def test_a_pod_network_that_is_not_there() -> None:
    host = healthy()
    host["endpoints"][PYCRI]["conditions"]["NetworkReady"] = [False, "NetworkPluginNotReady", "no conflist"]
    assert causes(host) == ["network"]


def test_swap_and_cgroup_v1_told_by_the_kubelet() -> None:
    host = healthy()
    host["swaps"] = ["/swapfile"]
    crash_looping(
        host, KUBELET, "F1 failed to run Kubelet: running with swap on is not supported, please disable swap!"
    )
    assert causes(host)[0] == "swap"
    host = healthy()
    host["cgroup_version"] = 1
    crash_looping(host, KUBELET, "E1 kubelet is configured to not run on a host using cgroup v1")
    assert causes(host)[0] == "cgroup-v1"


def test_what_the_kubelet_said_before_it_came_up_is_past() -> None:
    host = healthy()
    seconds = host["units"][KUBELET]["active_seconds"]
    said(host, KUBELET, API_GONE, "inotify_add_watch: no space left on device", ago=seconds + 30)
    host["listening"].pop("6443")
    assert causes(host) == []


def test_a_kubelet_that_nobody_understands_is_ranked_last() -> None:
    host = healthy()
    failed = (
        'E0523 10:00:00.1 12 run.go:74] "command failed" err="failed to parse kubelet flag: --frobnicate"'
    )
    crash_looping(host, KUBELET, failed)
    assert causes(host) == ["kubelet-down"]
    assert "--frobnicate" in findings(host)[0].finding.evidence


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("runc version 1.1.5+ds1", True),
        ("runc version 1.1.15", True),
        ("runc version 1.2.7", True),
        ("runc version 1.2.8", False),
        ("runc version 1.3.3", False),
        ("runc version 1.3.2", True),
        ("runc version 1.4.0", False),
        (None, False),
    ],
)
def test_old_runc_is_a_warning(version: str | None, old: bool) -> None:
    host = healthy()
    host["runc_version"] = version
    assert causes(host) == []
    assert ("old-runc" in [each.name for each in findings(host)]) == old


def test_a_bare_host_is_not_sick() -> None:
    host = healthy("runtime-only")
    host |= {"units": {}, "endpoints": {}, "sockets": {}, "settings": {}}
    assert causes(host) == []
    assert findings(host)[-1].name == "nothing-here"


def test_every_cause_is_tested_here() -> None:
    """By name; so that a new one is not forgotten."""
    from pathlib import Path

    text = Path(__file__).read_text()
    assert [name for name in CAUSES if f'"{name}"' not in text] == []
