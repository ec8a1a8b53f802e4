from dataclasses import replace
from typing import Any

import pytest
import yaml

from installer.errors import InventoryError
from installer.kubeadm import api_types, render
from installer.kubeadm.settings import Cluster, Discovery, Node
from installer.kubeadm.version import KubernetesVersion, supported
from tests.unit.installer.kubeadm import golden

FILES = dict(golden.files())


def _documents(text: str) -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@pytest.mark.parametrize("name", FILES)
def test_golden(name: str) -> None:
    """When it was meant to change: python -m tests.unit.installer.kubeadm.golden"""
    assert FILES[name] == (golden.DIRECTORY / name).read_text()


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in golden.DIRECTORY.iterdir()} == set(FILES)


@pytest.mark.parametrize("minor", range(20, 37))
def test_every_field_exists_in_that_versions_api(minor: int) -> None:
    """The tables cite the types.go that they were taken from, by version and path."""
    spec = replace(golden.cluster("1.20.2"), version=KubernetesVersion(1, minor, 0))
    texts = [
        render.init_file(spec, golden.control_plane(), golden.SECRETS),
        render.join_file(spec, golden.worker(), golden.SECRETS, golden.DISCOVERY, control_plane=False),
        render.join_file(spec, golden.control_plane(), golden.SECRETS, golden.DISCOVERY, control_plane=True),
    ]
    for text in texts:
        for kind, document in _documents(text).items():
            assert document.pop("apiVersion") == api_types.api_version(kind, spec.version)
            del document["kind"]
            assert list(api_types.problems(kind, document, spec.version)) == []


def _init(version: str, node: Node | None = None, **fields: Any) -> dict[str, dict[str, Any]]:
    spec = Cluster(version=supported(version), cgroup_driver="systemd", **fields)
    return _documents(render.init_file(spec, node or Node("a", ("10.0.0.1",)), golden.SECRETS))


def test_the_least_that_is_said() -> None:
    documents = _init("1.31.0")
    assert set(documents) == {"InitConfiguration", "ClusterConfiguration", "KubeletConfiguration"}
    assert documents["KubeletConfiguration"]["cgroupDriver"] == "systemd"
    assert "taints" not in documents["InitConfiguration"]["nodeRegistration"]


def test_cgroup_v1_is_allowed_only_where_it_is_refused_otherwise() -> None:
    assert "failCgroupV1" not in _init("1.34.0", cgroup_v1=True)["KubeletConfiguration"]
    assert "failCgroupV1" not in _init("1.35.0")["KubeletConfiguration"]
    assert _init("1.35.0", cgroup_v1=True)["KubeletConfiguration"]["failCgroupV1"] is False


@pytest.mark.parametrize(("version", "given"), [("1.26.15", True), ("1.27.0", False)])
def test_the_remote_flag(version: str, given: bool) -> None:
    arguments = _init(version)["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
    assert ("container-runtime" in arguments) is given


def test_a_schedulable_control_plane_has_an_empty_list_of_taints() -> None:
    node = Node("a", ("10.0.0.1",), schedulable=True)
    assert _init("1.31.0", node)["InitConfiguration"]["nodeRegistration"]["taints"] == []


def test_dual_stack() -> None:
    subnets = ("10.244.0.0/16", "fd00:10:244::/56")
    documents = _init("1.20.2", Node("a", ("10.0.0.1", "fd00::1")), pod_subnets=subnets)
    assert documents["ClusterConfiguration"]["networking"]["podSubnet"] == ",".join(subnets)
    assert documents["ClusterConfiguration"]["featureGates"] == {"IPv6DualStack": True}
    arguments = documents["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
    assert arguments["node-ip"] == "10.0.0.1,fd00::1"
    assert "featureGates" not in _init("1.21.0", pod_subnets=subnets)["ClusterConfiguration"]


def test_arguments_hold_no_secret() -> None:
    for version in golden.VERSIONS:
        arguments = render.init_arguments(golden.cluster(version), golden.SECRETS)
        assert "--upload-certs" in arguments
        assert ("--skip-phases=addon/coredns" in arguments) is (version == "1.20.2")
        assert not any(secret in " ".join(arguments) for secret in ("abcdef", "0123456789"))


def test_discovery_by_file() -> None:
    spec = golden.cluster("1.31.0")
    discovery = Discovery(file="/root/cluster.conf")
    text = render.join_file(spec, golden.worker(), golden.SECRETS, discovery, control_plane=False)
    assert _documents(text)["JoinConfiguration"]["discovery"] == {
        "file": {"kubeConfigPath": "/root/cluster.conf"},
        "tlsBootstrapToken": golden.SECRETS.token,
    }


def test_overrides_that_do_not_fit_are_refused() -> None:
    node = replace(golden.worker(), overrides={"JoinConfiguration": {"timeouts": {"discovery": "1m"}}})
    spec = golden.cluster("1.31.0")
    render.join_file(spec, node, golden.SECRETS, golden.DISCOVERY, control_plane=False)
    with pytest.raises(InventoryError, match="since v1beta4"):
        render.join_file(
            golden.cluster("1.30.0"), node, golden.SECRETS, golden.DISCOVERY, control_plane=False
        )
