from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from installer.cluster.spec import HostSpec
from installer.content import content_dir
from installer.errors import InventoryError
from installer.kubeadm import from_inventory, render
from installer.kubeadm.settings import Secrets


def _host(name: str, group: str = "workers", *, cgroup: int = 2, **variables: Any) -> HostSpec:
    facts = SimpleNamespace(hostname=name.upper(), cgroup_version=cgroup, init="systemd")
    values = {"kubernetes_version": "1.31.4", "ansible_host": "192.0.2.7", **variables}
    return HostSpec(name, frozenset({group}), cast(Any, None), values, cast(Any, facts))


def test_the_defaults_are_the_documented_ones() -> None:
    path = content_dir("roles") / "kubeadm_init" / "meta" / "argument_specs.yml"
    options = yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
    for name, default in from_inventory.DEFAULTS.items():
        if name != "kubernetes_version":  # documented by the role that installs it
            assert options[name].get("default") == default


def test_a_cluster_of_defaults_renders() -> None:
    hosts = [_host("a", "control_plane"), _host("b")]
    spec = from_inventory.cluster(hosts)
    node = from_inventory.node(hosts[0], spec)
    assert (node.name, node.ips, node.schedulable) == ("a", ("192.0.2.7",), False)
    assert spec.cgroup_driver == "systemd"
    assert "podSubnet: 10.244.0.0/16" in render.init_file(spec, node, Secrets.generate(certificate_key=False))


def test_hosts_on_both_cgroup_versions() -> None:
    hosts = [_host("a", "control_plane", cgroup=2), _host("b", cgroup=1)]
    spec = from_inventory.cluster(hosts)
    assert spec.cgroup_v1
    assert from_inventory.node(hosts[0], spec).cgroup_driver is None
    assert from_inventory.node(hosts[1], spec).cgroup_driver == "cgroupfs"


def test_what_a_host_says_of_itself() -> None:
    host = _host(
        "a",
        "control_plane",
        kubernetes_node_name="cp",
        kubernetes_node_ip="192.0.2.8, 2001:db8::8",
        kubernetes_node_labels={"rack": "a"},
        kubernetes_node_taints=["a=b:NoSchedule"],
        kubernetes_schedulable="yes",
        pycri_cgroup_driver="cgroupfs",
    )
    node = from_inventory.node(host, from_inventory.cluster([host]))
    assert (node.name, node.ips, node.schedulable) == ("cp", ("192.0.2.8", "2001:db8::8"), True)
    assert node.labels == {"rack": "a"}
    assert node.taints[0].key == "a"


def test_a_control_plane_without_workers_takes_pods() -> None:
    host = _host("a", "control_plane")
    assert from_inventory.node(host, from_inventory.cluster([host]), has_workers=False).schedulable


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ansible_host": "a.example.org"}, "kubernetes_node_ip"),
        ({"kubernetes_node_taints": ["x"]}, "key=value:Effect"),
        ({"kubernetes_node_labels": {"a": True}}, "in quotes"),
        ({"kubernetes_node_name": "A_b"}, "cannot be the name"),
    ],
)
def test_a_wrong_value_is_told_with_its_host(variables: dict[str, Any], said: str) -> None:
    host = _host("a", **variables)
    with pytest.raises(InventoryError) as caught:
        from_inventory.node(host, from_inventory.cluster([host]))
    assert caught.value.host == "a"
    assert said in caught.value.render()


def test_hosts_that_disagree_are_refused() -> None:
    with pytest.raises(InventoryError, match="kubernetes_version must be the same") as caught:
        from_inventory.cluster([_host("a"), _host("b", kubernetes_version="1.30.1")])
    assert "b: '1.30.1'" in caught.value.reason


def test_no_version_is_refused() -> None:
    with pytest.raises(InventoryError, match="no kubernetes_version"):
        from_inventory.cluster([_host("a", kubernetes_version=None)])
