"""What each host is by now, and what the cluster says of its nodes; asked, never remembered."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from installer.control_plane.ca_hash import ca_hash
from installer.control_plane.kubectl import Kubectl
from installer.errors import ClusterError, ConnectError

if TYPE_CHECKING:
    from installer.cluster.spec import HostSpec
    from installer.ssh.connection import Connection

MAX_AT_ONCE: Final = 32
# playbooks/library/kubeadm.py leaves the marker while an attempt of its own is not finished.
_FILES: Final = {
    "kubelet_conf": "/etc/kubernetes/kubelet.conf",
    "ca": "/etc/kubernetes/pki/ca.crt",
    "unfinished": "/var/lib/nodestrap/kubeadm-started",
    "network_certificate": "/etc/nodestrap/pod-network/client.crt",
    "network_ca": "/etc/nodestrap/pod-network/ca.crt",
}
_HAS_ADMIN: Final = "test -e /etc/kubernetes/admin.conf && echo admin_conf yes"
_SCRIPT: Final = "\n".join(
    [
        *(f"test -e {path} && echo {name} $(base64 -w0 {path})" for name, path in _FILES.items()),
        _HAS_ADMIN,
        "systemctl is-active --quiet kubelet.service && echo kubelet yes",
        "true",
    ]
)


@dataclass(frozen=True)
class HostState:
    """What lies on one host."""

    joined: bool = False  # it has a kubelet's credentials
    attempt: str | None = None  # init or join, of nodestrap's own, that was cut short
    admin: bool = False  # it has the administrator's, so it is or was a control plane
    kubelet_active: bool = False
    ca_hash: str | None = None  # of the cluster whose credentials it has
    ca: bytes | None = None  # that cluster's CA certificate, PEM
    network_certificate: bytes | None = None  # the pod network agent's, PEM
    network_ca: bytes | None = None  # and the CA that goes with it

    @property
    def unfinished(self) -> bool:
        return self.attempt is not None

    @property
    def entered(self) -> bool:
        """Whether kubeadm was at work here: it is a node, or was on the way."""
        return self.joined or self.unfinished or self.admin


@dataclass(frozen=True)
class NodeState:
    """A node, as the API server has it."""

    name: str
    ready: bool
    reason: str  # why it is not ready
    kubelet_version: str  # v1.31.4
    control_plane: bool
    addresses: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class ClusterState:
    """All of it at one moment."""

    hosts: Mapping[str, HostState] = field(default_factory=dict)
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    control_plane: str | None = None  # the host through whose kubectl an API server answered
    server_version: str | None = None  # v1.31.4
    complaint: str | None = None  # why none answered, where one should have

    def host(self, name: str) -> HostState:
        return self.hosts.get(name, HostState())

    def member(self, host: str, node: str) -> bool:
        """Whether the host is a node, fully, and has a kubelet that runs and says that it is ready."""
        state, known = self.host(host), self.nodes.get(node)
        well = state.joined and not state.unfinished and state.kubelet_active
        return well and known is not None and known.ready


def kubectl_on(connection: Connection) -> Kubectl:
    """kubectl on the host at the other end."""
    return Kubectl(connection.host, lambda argv, stdin, timeout: connection.run(argv, stdin, timeout))


def observe(hosts: Sequence[HostSpec], connections: Mapping[str, Connection]) -> ClusterState:
    """Ask every connected host, then an API server through the first control plane whose own answers.

    Raises ConnectError where a host is lost meanwhile.
    """
    asked = [host for host in hosts if host.name in connections]
    if not asked:
        return ClusterState()
    with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="observe") as pool:
        states = dict(
            zip(
                (h.name for h in asked),
                pool.map(lambda h: host_state(connections[h.name]), asked),
                strict=True,
            )
        )
    complaint = None
    candidates = [host for host in asked if host.is_control_plane and states[host.name].admin]
    # One that is half in may lead to the cluster, too; it is no proof of its own.
    for host in sorted(candidates, key=lambda each: states[each.name].unfinished):
        try:
            nodes, version = _ask(kubectl_on(connections[host.name]))
        except ClusterError as error:
            complaint = f"{host.name}: {error.reason}"
            continue
        return ClusterState(states, nodes, host.name, version)
    return ClusterState(states, complaint=complaint)


def host_state(connection: Connection) -> HostState:
    """One host's. Raises ConnectError."""
    answer = connection.run(["sh", "-c", _SCRIPT], timeout=30)
    if answer.status != 0:
        reason = answer.stderr.decode(errors="replace").strip()
        raise ConnectError(f"its state cannot be read: {reason}", host=connection.host, step="cluster")
    found = dict(line.split(" ", 1) for line in answer.stdout.decode().splitlines() if " " in line)
    content = {name: base64.b64decode(found[name]) for name in _FILES if name in found}
    ca = _ca(content)
    return HostState(
        joined="kubelet_conf" in content,
        attempt=content["unfinished"].decode(errors="replace").strip() if "unfinished" in content else None,
        admin="admin_conf" in found,
        kubelet_active="kubelet" in found,
        ca_hash=ca_hash(ca) if ca else None,
        ca=ca,
        network_certificate=content.get("network_certificate"),
        network_ca=content.get("network_ca"),
    )


def node_states(kubectl: Kubectl) -> dict[str, NodeState]:
    """The nodes by name. Raises ClusterError."""
    return {item["metadata"]["name"]: _node(item) for item in kubectl.get("nodes")["items"]}


def _ask(kubectl: Kubectl) -> tuple[dict[str, NodeState], str]:
    nodes = node_states(kubectl)
    version = json.loads(kubectl("get", "--raw", "/version"))
    return nodes, str(version["gitVersion"])


def _node(item: Mapping[str, Any]) -> NodeState:
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item["status"]
    ready: Mapping[str, Any] = next(
        (entry for entry in status.get("conditions") or () if entry["type"] == "Ready"), {}
    )
    labels = metadata.get("labels") or {}
    cidrs = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    return NodeState(
        name=metadata["name"],
        ready=ready.get("status") == "True",
        reason=str(ready.get("message") or "the kubelet has not said anything yet"),
        kubelet_version=status["nodeInfo"]["kubeletVersion"],
        control_plane=any(
            f"node-role.kubernetes.io/{role}" in labels for role in ("control-plane", "master")
        ),
        addresses=tuple(
            entry["address"] for entry in status.get("addresses") or () if entry["type"] == "InternalIP"
        ),
        pod_cidrs=tuple(cidrs),
        labels=labels,
        taints=tuple(spec.get("taints") or ()),
    )


def _ca(content: Mapping[str, bytes]) -> bytes | None:
    """The CA that the kubelet trusts; the one beside it, on a control plane that is not finished."""
    found = re.search(rb"certificate-authority-data: *(\S+)", content.get("kubelet_conf", b""))
    return base64.b64decode(found[1]) if found else content.get("ca")
