"""From the inventory's variables and the hosts' facts to what ``render`` takes.

Defaults are those of roles/kubeadm_init/meta/argument_specs.yml; a test compares.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

from installer.cluster.spec import HostSpec
from installer.errors import InventoryError
from installer.kubeadm.settings import Cluster, Node, Taint
from installer.kubeadm.version import supported

# Variables of the whole cluster: all hosts must have the same value.
DEFAULTS: Final[Mapping[str, Any]] = {
    "kubernetes_version": None,
    "control_plane_endpoint": None,
    "kubernetes_pod_subnet": "10.244.0.0/16",
    "kubernetes_service_subnet": "10.96.0.0/12",
    "kubernetes_dns_domain": "cluster.local",
    "kubernetes_extra_sans": [],
    "kubernetes_image_repository": None,
    "kubernetes_skip_phases": [],
    "kubernetes_leave_conntrack": False,
}
# What every node's own balancer listens on (roles/api_balancer): the endpoint of several control planes where
# the user names none.
BALANCER: Final = "127.0.0.1:6444"
_TRUE: Final = frozenset({"true", "yes", "on", "1"})


def cluster(hosts: Sequence[HostSpec]) -> Cluster:
    """The cluster that these hosts, all of its hosts, form.

    Raises InventoryError when they disagree, or a value is wrong.
    """
    value = {name: same_for_all(name, hosts, default) for name, default in DEFAULTS.items()}
    if value["kubernetes_version"] is None:
        raise InventoryError("no kubernetes_version is set", fix='set it for all hosts, such as "1.31.4"')
    if value["control_plane_endpoint"] is None and sum(host.is_control_plane for host in hosts) > 1:
        value["control_plane_endpoint"] = BALANCER
    first = next((host for host in hosts if host.is_control_plane), hosts[0])
    return Cluster(
        version=supported(value["kubernetes_version"]),
        cgroup_driver=cgroup_driver(first),
        control_plane_endpoint=value["control_plane_endpoint"],
        pod_subnets=_parts(value["kubernetes_pod_subnet"]),
        service_subnets=_parts(value["kubernetes_service_subnet"]),
        dns_domain=str(value["kubernetes_dns_domain"]),
        extra_sans=tuple(map(str, value["kubernetes_extra_sans"])),
        image_repository=value["kubernetes_image_repository"],
        cgroup_v1=any(host.facts is not None and host.facts.cgroup_version == 1 for host in hosts),
        leave_conntrack=_truth(value["kubernetes_leave_conntrack"]),
        skip_phases=tuple(map(str, value["kubernetes_skip_phases"])),
    )


def node(host: HostSpec, spec: Cluster, *, has_workers: bool = True) -> Node:
    """One of its hosts as a node. Raises InventoryError, with the host, when a value is wrong."""
    values = host.variables
    schedulable = values.get("kubernetes_schedulable")
    driver = cgroup_driver(host)
    try:
        return Node(
            name=node_name(host),
            ips=node_addresses(host),
            labels=dict(values.get("kubernetes_node_labels") or {}),
            taints=tuple(Taint.parse(str(text)) for text in values.get("kubernetes_node_taints") or ()),
            schedulable=not has_workers if schedulable is None else _truth(schedulable),
            cgroup_driver=None if driver == spec.cgroup_driver else driver,
            overrides=values.get("kubeadm_overrides") or {},
        )
    except InventoryError as error:
        raise InventoryError(error.reason, fix=error.fix, host=host.name) from error


def node_name(host: HostSpec) -> str:
    """What the host registers as: kubeadm, too, takes the host name in lower case."""
    given = host.variables.get("kubernetes_node_name")
    return str(given) if given else (host.facts.hostname if host.facts else host.name).lower()


def cgroup_driver(host: HostSpec) -> str:
    """The kubelet's, which is pycri's on this host."""
    setting = str(host.variables.get("pycri_cgroup_driver") or "auto")
    if setting != "auto":
        return setting
    facts = host.facts
    return "systemd" if facts and facts.cgroup_version == 2 and facts.init == "systemd" else "cgroupfs"


def node_addresses(host: HostSpec) -> tuple[str, ...]:
    """Its own as a node, one per address family. Raises InventoryError where that is not known."""
    given = host.variables.get("kubernetes_node_ip")
    if given:
        return _parts(given)
    address = str(host.variables.get("ansible_host") or host.name)
    try:
        return (str(ipaddress.ip_address(address)),)
    except ValueError:
        raise InventoryError(
            f"its address as a node is not known: {address!r} is a name",
            fix="set kubernetes_node_ip to the address that the other nodes reach it by",
        ) from None


def same_for_all(name: str, hosts: Sequence[HostSpec], default: Any) -> Any:
    """A variable of the whole cluster. Raises InventoryError when hosts differ."""
    found: dict[str, Any] = {}
    for host in hosts:
        value = host.variables.get(name)
        found[host.name] = default if value is None else value
    values = list(found.values())
    if any(value != values[0] for value in values):
        listed = ", ".join(f"{host}: {value!r}" for host, value in found.items())
        raise InventoryError(
            f"{name} must be the same for all hosts ({listed})", fix="set it in the group nodes or all"
        )
    return values[0]


def _parts(text: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(text).split(",") if part.strip())


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).strip().lower() in _TRUE
