"""The pod network: credentials for the agents of ``routed``, or a manifest; then the nodes become ready."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any, Final

from installer.cluster.spec import HostSpec
from installer.control_plane.client_certificates import issue, needs_renewal
from installer.control_plane.kubectl import Kubectl
from installer.control_plane.observe import kubectl_on, node_states
from installer.effects import Effect
from installer.errors import ClusterError, InventoryError
from installer.phases.base import Phase
from installer.phases.join import refresh
from installer.phases.kubernetes import kubernetes_of
from installer.phases.runtime import converge
from installer.run import Run

GROUP: Final = "nodestrap:pod-network"
_READY_SECONDS: Final = 240.0
_ACCESS: Final = "/etc/nodestrap/pod-network"
_ACCESS_FILES: Final = ("ca.crt", "client.crt", "client.key", "server")
_ACCESS_RECEIPT: Final = "/var/lib/nodestrap/receipts/pod_network_access.json"
_ROLE: Final = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": GROUP},
    "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}],
}
_BINDING: Final = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": GROUP},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": GROUP},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": GROUP}],
}


class Network(Phase):
    name = "network"
    title = "Pod network"

    def run(self, run: Run) -> None:
        kubernetes = kubernetes_of(run)
        reached = refresh(run).control_plane
        assert reached is not None  # refresh raises otherwise
        kubectl = kubectl_on(run.connections[reached])
        changed = 0
        if kubernetes.network.kind == "routed":
            changed = kubectl.apply(_ROLE, _BINDING)
            _give_certificates(run, kubectl, reached)
        elif kubernetes.network.kind == "manifest":
            changed = kubectl.apply_text(read_manifest(kubernetes.network.manifest))
        run.changed[reached] = run.changed.get(reached, 0) + changed
        if kubernetes.network.kind == "none":
            run.warn("pod_network is none: nodes become ready once you have installed a pod network")
            return
        await_ready(run, kubectl)

    def dry_run(self, run: Run) -> None:
        """What it would apply depends on a cluster that may not be there; a manifest must be readable."""
        kubernetes = kubernetes_of(run)
        if kubernetes.network.kind == "manifest":
            read_manifest(kubernetes.network.manifest)
        elif kubernetes.network.kind == "routed":
            states = kubernetes.state
            lacking = [host for host in run.active if states.host(host.name).network_certificate is None]
            for host in lacking:
                stand_ins = dict.fromkeys(("server", "ca", "certificate", "key"), "not issued yet")
                values = {f"pod_network_access_{name}": text for name, text in stand_ins.items()}
                run.host_variables.setdefault(host.name, {}).update(values)
            _converge_access(run, lacking, check=True)


def read_manifest(source: str) -> str:
    """The manifest's text, from a path on the controller or a URL. Raises InventoryError."""
    try:
        if source.startswith(("https://", "http://")):
            with urllib.request.urlopen(source, timeout=60) as answer:
                return str(answer.read().decode())
        return Path(source).expanduser().read_text()
    except (OSError, ValueError) as error:
        raise InventoryError(
            f"pod_network_manifest {source} cannot be read: {error}",
            step="network",
            fix="name a file on the controller, or a URL that it reaches",
        ) from error


def await_ready(run: Run, kubectl: Kubectl, seconds: float = _READY_SECONDS) -> None:
    """Until every host's node is ready; those that are not by then fail, each with its kubelet's reason."""
    kubernetes = kubernetes_of(run)
    deadline = time.monotonic() + seconds
    while True:
        run.raise_if_interrupted()
        nodes = node_states(kubectl)
        waiting = [host for host in run.active if not _ready(nodes, kubernetes.node(host).name)]
        if not waiting:
            return
        if time.monotonic() > deadline:
            break
        for host in waiting:
            run.progress.step(host.name, "becoming ready")
        time.sleep(0.5)
    for host in waiting:
        known = nodes.get(kubernetes.node(host).name)
        reason = known.reason if known else "the API server does not know it"
        error = ClusterError(f"not ready within {seconds:.0f} s: {reason}", host=host.name, step="network")
        error.fix = "`journalctl -u kubelet -u pycri -u nodestrap-pod-network` on the host shows why"
        run.fail(error)


def _ready(nodes: Any, name: str) -> bool:
    return name in nodes and bool(nodes[name].ready)


def _give_certificates(run: Run, kubectl: Kubectl, reached: str) -> None:
    kubernetes = kubernetes_of(run)
    ca = kubernetes.state.host(reached).ca
    if ca is None:
        raise ClusterError("/etc/kubernetes/pki/ca.crt is missing", host=reached, step="network")
    states = {host.name: kubernetes.state.host(host.name) for host in run.active}
    lacking: list[HostSpec] = [
        host
        for host in run.active
        if states[host.name].network_ca != ca or needs_renewal(states[host.name].network_certificate)
    ]
    if not lacking:
        return
    names = {host.name: f"{GROUP}:{kubernetes.node(host).name}" for host in lacking}
    issued = issue(kubectl, names.values(), GROUP)
    for host in lacking:
        certificate = issued[names[host.name]]
        run.host_variables.setdefault(host.name, {}).update(
            pod_network_access_server=f"https://{kubernetes.endpoint(reached)}",
            pod_network_access_ca=ca.decode(),
            pod_network_access_certificate=certificate.certificate,
            pod_network_access_key=certificate.key,
        )
    _converge_access(run, lacking, check=False)


def _converge_access(run: Run, hosts: list[HostSpec], *, check: bool) -> None:
    """The role's task shows nothing of its result, for there is a key in it: what it changes is told here."""
    if not hosts:
        return
    converge(run, "pod_network_access.yml", check=check, hosts=hosts)
    for host in hosts:
        if host.name in run.outcomes:
            continue
        known = kubernetes_of(run).state.host(host.name).network_certificate is not None
        action = "change" if known else "create"
        files = [Effect("file", f"{_ACCESS}/{name}", (action,)) for name in _ACCESS_FILES]
        receipt = [] if known else [Effect("file", _ACCESS_RECEIPT, ("create",))]
        run.effects.setdefault(host.name, []).extend(files + receipt)
