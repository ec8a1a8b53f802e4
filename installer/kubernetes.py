"""What a run's Kubernetes phases share: the cluster that is wanted, what is there of it, and the way in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from installer.cluster.spec import ClusterSpec, HostSpec
from installer.control_plane.access import Access
from installer.control_plane.observe import ClusterState
from installer.errors import InventoryError
from installer.kubeadm import from_inventory, render, skew, version
from installer.kubeadm.settings import Cluster, Discovery, Node, Secrets, with_port

# Stand-ins, to render files before there is a cluster; never written to a host.
_NO_SECRETS = Secrets("000000.0000000000000000", "0" * 64)
_NO_DISCOVERY = Discovery("192.0.2.1", (f"sha256:{'0' * 64}",))


@dataclass(frozen=True)
class PodNetwork:
    """The variables pod_network and pod_network_manifest."""

    kind: str  # routed, manifest or none
    manifest: str = ""  # path or URL

    def __post_init__(self) -> None:
        if self.kind == "manifest" and not self.manifest:
            raise InventoryError(
                "pod_network is manifest, but none is named",
                step="cluster",
                fix="set pod_network_manifest to a path on the controller or a URL",
            )


@dataclass
class Kubernetes:
    """Mutable: phases bring ``state`` up to date as they go."""

    cluster: Cluster
    nodes: dict[str, Node]  # by host
    api_servers: tuple[str, ...] = ()  # for the balancer on each node; none where there is an endpoint
    network: PodNetwork = field(default_factory=lambda: PodNetwork("routed"))
    state: ClusterState = field(default_factory=ClusterState)
    secrets: Secrets | None = None  # of this run, once something needs them
    access: Access | None = None  # for hosts that join; None until there is a cluster to join

    def node(self, host: HostSpec) -> Node:
        return self.nodes[host.name]

    def endpoint(self, host: str) -> str:
        """host:port of the API server: the cluster's endpoint, or else that of a control plane."""
        given = self.cluster.control_plane_endpoint
        return with_port(given) if given is not None else self.api_server(host)

    def api_server(self, host: str) -> str:
        """host:port of that control plane's own API server."""
        address = self.nodes[host].ips[0]
        return with_port(f"[{address}]" if ":" in address else address)

    def is_member(self, host: HostSpec) -> bool:
        return self.state.member(host.name, self.node(host).name)


def wanted(spec: ClusterSpec, everyone: Sequence[HostSpec] = ()) -> Kubernetes:
    """The cluster that the inventory's variables describe, its files tried for every host.

    ``everyone`` are all hosts of the cluster, where that is more than the run works on. Raises
    InventoryError for anything that kubeadm or the versions' rules would refuse: nothing has changed yet.
    """
    hosts = everyone or spec.hosts
    cluster = from_inventory.cluster(hosts)
    has_workers = any(not host.is_control_plane for host in hosts)
    nodes = {host.name: from_inventory.node(host, cluster, has_workers=has_workers) for host in spec.hosts}
    _refuse_twins(nodes)
    for host in spec.hosts:
        node = nodes[host.name]
        try:
            if host.is_control_plane:
                render.init_file(cluster, node, _NO_SECRETS)
            render.join_file(cluster, node, _NO_SECRETS, _NO_DISCOVERY, control_plane=host.is_control_plane)
        except InventoryError as error:
            error.host = host.name
            raise
    return Kubernetes(cluster, nodes, _api_servers(hosts, cluster), _network(hosts))


def _api_servers(hosts: Sequence[HostSpec], cluster: Cluster) -> tuple[str, ...]:
    if cluster.control_plane_endpoint != from_inventory.BALANCER:
        return ()
    addresses = (from_inventory.node_addresses(host)[0] for host in hosts if host.is_control_plane)
    return tuple(with_port(f"[{each}]" if ":" in each else each) for each in addresses)


def _network(hosts: Sequence[HostSpec]) -> PodNetwork:
    kind = from_inventory.same_for_all("pod_network", hosts, "routed")
    return PodNetwork(str(kind), str(from_inventory.same_for_all("pod_network_manifest", hosts, "")))


def check_versions(wanted: Kubernetes) -> None:
    """Hold the wanted version against those that run. Raises InventoryError: skew, or an
    upgrade in disguise."""
    state, target = wanted.state, wanted.cluster.version
    if state.server_version is None:
        return
    server = version.parse(state.server_version)
    ours = {node.name: host for host, node in wanted.nodes.items()}
    control_planes = {name: server for name, node in state.nodes.items() if node.control_plane}
    kubelets = {
        name: version.parse(node.kubelet_version) for name, node in state.nodes.items() if name not in ours
    }
    kubelets |= {node.name: target for node in wanted.nodes.values()}
    skew.check(control_planes, kubelets, target)
    for name, host in ours.items():
        node = state.nodes.get(name)
        if node is not None and version.parse(node.kubelet_version).triple != target.triple:
            raise InventoryError(
                f"it runs {node.kubelet_version}, kubernetes_version says {target}: `up` upgrades no node",
                host=host,
                step="cluster",
                fix=f"set kubernetes_version to {node.kubelet_version.removeprefix('v')}",
            )


def _refuse_twins(nodes: dict[str, Node]) -> None:
    by_name: dict[str, list[str]] = {}
    for host, node in nodes.items():
        by_name.setdefault(node.name, []).append(host)
    for name, hosts in by_name.items():
        if len(hosts) > 1:
            raise InventoryError(
                f"{' and '.join(hosts)} would register under one name, {name}",
                step="cluster",
                fix="give them host names of their own, or set kubernetes_node_name",
            )
