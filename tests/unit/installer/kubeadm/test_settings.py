from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.errors import InventoryError
from installer.kubeadm.node_labels import check_labels
from installer.kubeadm.settings import Cluster, Discovery, Node, Secrets, Taint, check_endpoint, with_port
from installer.kubeadm.version import supported

VERSION = supported("1.31.0")


@given(st.text())
def test_any_text_is_a_taint_or_refused(text: str) -> None:
    try:
        taint = Taint.parse(text)
    except InventoryError:
        return
    assert text.startswith(taint.key)
    assert text.endswith(f":{taint.effect}")


def test_taints() -> None:
    assert Taint.parse("a/b=c:NoSchedule") == Taint("a/b", "c", "NoSchedule")
    assert Taint.parse("a:NoExecute") == Taint("a", "", "NoExecute")
    with pytest.raises(InventoryError):
        Taint.parse("a=b:Never")


@given(st.text())
def test_any_text_is_an_endpoint_or_refused(text: str) -> None:
    try:
        check_endpoint(text)
    except InventoryError:
        return
    check_endpoint(with_port(text))
    assert with_port(with_port(text)) == with_port(text)


@pytest.mark.parametrize(
    ("text", "full"),
    [("a.example", "a.example:6443"), ("10.0.0.1:443", "10.0.0.1:443"), ("[fd00::1]", "[fd00::1]:6443")],
)
def test_the_default_port(text: str, full: str) -> None:
    assert with_port(text) == full


@pytest.mark.parametrize("text", ["", "a:b", "a:0", "a:65536", "https://a", "fd00::1", "a b"])
def test_no_endpoints(text: str) -> None:
    with pytest.raises(InventoryError, match="not host or host:port"):
        check_endpoint(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Upper", "ips": ("10.0.0.1",)},
        {"name": "a..b", "ips": ("10.0.0.1",)},
        {"name": "a", "ips": ()},
        {"name": "a", "ips": ("10.0.0.1", "10.0.0.2")},
        {"name": "a", "ips": ("10.0.0.300",)},
        {"name": "a", "ips": ("10.0.0.1",), "labels": {"node-role.kubernetes.io/worker": ""}},
    ],
)
def test_nodes_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InventoryError) as caught:
        Node(**fields)
    assert caught.value.fix


@pytest.mark.parametrize(
    "fields",
    [
        {"cgroup_driver": "auto"},
        {"control_plane_endpoint": "a:b"},
        {"pod_subnets": ("10.0.0.0/8", "10.1.0.0/16")},
        {"service_subnets": ("10.96.0.1/12",)},
    ],
)
def test_clusters_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InventoryError) as caught:
        Cluster(**{"version": VERSION, "cgroup_driver": "systemd", **fields})
    assert caught.value.fix


@pytest.mark.parametrize(
    "labels",
    [
        {"": "x"},
        {"a/b/c": "x"},
        {"-a": "x"},
        {"a": "x y"},
        {"a": "x" * 64},
        {"a": True},
        {"node-restriction.kubernetes.io/a": "x"},
        {"k8s.io/a": "x"},
    ],
)
def test_labels_refused(labels: dict[str, Any]) -> None:
    with pytest.raises(InventoryError, match="label"):
        check_labels(labels)


def test_labels_allowed() -> None:
    check_labels(
        {
            "a": "",
            "example.org/a_b": "x.y",
            "node.kubernetes.io/pool": "1",
            "x.kubelet.kubernetes.io/b": "c",
            "topology.kubernetes.io/zone": "z1",
            "notkubernetes.io/a": "b",
        }
    )


def test_secrets_are_new_each_time_and_never_shown() -> None:
    one, other = Secrets.generate(certificate_key=True), Secrets.generate(certificate_key=False)
    assert one.token != other.token
    assert one.certificate_key is not None
    assert other.certificate_key is None
    assert one.token not in repr(one)
    assert one.certificate_key not in repr(one)


@pytest.mark.parametrize(("token", "key"), [("short", None), ("abcdef.0123456789abcdef", "xyz")])
def test_secrets_refused_without_being_shown(token: str, key: str | None) -> None:
    with pytest.raises(InventoryError) as caught:
        Secrets(token, key)
    assert (key or token) not in caught.value.render()


def test_discovery_needs_a_hash_or_a_file() -> None:
    Discovery(file="/root/discovery.conf")
    for hashes in ((), ("sha256:12",)):
        with pytest.raises(InventoryError, match="hash"):
            Discovery("a:6443", hashes)
