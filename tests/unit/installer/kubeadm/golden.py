"""The settings behind tests/golden/kubeadm, and how to write those files anew:

    python -m tests.unit.installer.kubeadm.golden

Look at the difference before committing it: the files were held against each version's API types, those of
1.20 by the real kubeadm too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from installer.kubeadm import render, version
from installer.kubeadm.settings import Cluster, Discovery, Node, Secrets, Taint

DIRECTORY = Path(__file__).parents[3] / "golden" / "kubeadm"
VERSIONS = ("1.20.2", "1.24.17", "1.28.15", "1.31.14", "1.36.1")
SECRETS = Secrets("abcdef.0123456789abcdef", "0123456789abcdef" * 4)
DISCOVERY = Discovery("api.example.org:6443", ("sha256:" + "12" * 32,))


def cluster(text: str) -> Cluster:
    return Cluster(
        version=version.supported(text),
        cgroup_driver="cgroupfs",
        control_plane_endpoint="api.example.org",
        pod_subnets=("10.244.0.0/16",),
        service_subnets=("10.96.0.0/12",),
        extra_sans=("api.example.org", "192.0.2.10"),
        cgroup_v1=True,
        leave_conntrack=True,
        skip_phases=("addon/coredns",),
    )


def control_plane() -> Node:
    return Node(
        name="cp-1",
        ips=("192.0.2.11",),
        labels={"example.org/rack": "a"},
        taints=(Taint.parse("example.org/dedicated=etcd:NoSchedule"),),
        overrides={
            "ClusterConfiguration": {
                "etcd": {"local": {"dataDir": "/srv/etcd"}},
                "apiServer": {"extraArgs": {"audit-log-maxage": "7"}},
            },
            "InitConfiguration": {"nodeRegistration": {"kubeletExtraArgs": {"v": "2"}}},
            "KubeletConfiguration": {"maxPods": 200, "evictionHard": {"memory.available": "5%"}},
            "KubeProxyConfiguration": {"mode": "iptables"},
        },
    )


def worker() -> Node:
    return Node(name="worker-1", ips=("192.0.2.21",), taints=(Taint.parse("example.org/gpu:NoExecute"),))


def files() -> Iterator[tuple[str, str]]:
    """Name and text of each golden file."""
    for text in VERSIONS:
        spec = cluster(text)
        name = f"{spec.version.major}.{spec.version.minor}"
        yield f"{name}-init.yaml", render.init_file(spec, control_plane(), SECRETS)
        yield f"{name}-join-worker.yaml", _join(spec, worker(), False)
        yield f"{name}-join-control-plane.yaml", _join(spec, control_plane(), True)


def _join(spec: Cluster, node: Node, is_control_plane: bool) -> str:
    return render.join_file(spec, node, SECRETS, DISCOVERY, control_plane=is_control_plane)


if __name__ == "__main__":
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for file, content in files():
        (DIRECTORY / file).write_text(content, encoding="utf-8")
        print(DIRECTORY / file)
