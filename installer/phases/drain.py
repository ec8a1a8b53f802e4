"""Take nodes out of service, and out of the cluster: pods moved elsewhere first, the node deleted last."""

from __future__ import annotations

from installer.cluster.spec import HostSpec
from installer.control_plane.kubectl import Kubectl
from installer.control_plane.observe import ClusterState, NodeState, kubectl_on, observe
from installer.effects import Effect
from installer.errors import ClusterError
from installer.kubeadm import version
from installer.kubeadm.from_inventory import node_name
from installer.phases.base import Phase
from installer.report import HostState
from installer.run import Run


class Drain(Phase):
    """Cordons each node and evicts its pods, as their disruption budgets allow."""

    name = "drain"
    title = "Drain"

    def run(self, run: Run) -> None:
        state = ask(run)
        kubectl = through(run, state)
        if kubectl is None:
            return
        for host in run.active:
            node = find_node(host, state)
            if node is None or not (node.ready and state.host(host.name).joined):
                continue  # its kubelet could end no pod: a removal that was cut short, or a sick node
            run.progress.step(host.name, "draining")
            try:
                kubectl(*drain_words(run, node, state), timeout=run.drain_timeout)
            except ClusterError as error:
                refused = ClusterError(
                    f"the node {node.name} cannot be drained: {error.reason}",
                    host=host.name,
                    step="drain",
                    fix="see to what it names, or pass --force; `kubectl uncordon` puts it back into service",
                )
                run.fail(refused)
            else:
                note(run, host, Effect("node", node.name, ("drain",)))

    def dry_run(self, run: Run) -> None:
        foretell(run, "drain")


class DeleteNode(Phase):
    """Deletes the Node objects; a host that nobody can reach any more is known by its name or address."""

    name = "delete"
    title = "Delete from the cluster"

    def run(self, run: Run) -> None:
        state = ask(run)
        kubectl = through(run, state)
        if kubectl is None:
            return
        for host in run.active:
            node = find_node(host, state)
            if node is None:
                continue
            kubectl.delete("node", node.name)
            note(run, host, Effect("node", node.name, ("remove",)))
            if node.control_plane and host.name not in run.connections:
                run.warn(
                    f"{host.name}: its etcd member stays in the cluster, for it could not be asked to leave: "
                    "`etcdctl member remove` on a control plane"
                )

    def dry_run(self, run: Run) -> None:
        foretell(run, "remove")


def ask(run: Run) -> ClusterState:
    """What there is of the cluster now, as the hosts of the run and its bystander say."""
    # The bystander first: a control plane that is being removed answers while it still can, and then not.
    hosts = sorted(run.asked, key=lambda host: host.name not in run.bystanders)
    return observe(hosts, run.connections)


def through(run: Run, state: ClusterState) -> Kubectl | None:
    """kubectl on the bystander; None, and every host left as it is, where no API server answers."""
    if state.control_plane in run.bystanders and state.control_plane is not None:
        return kubectl_on(run.connections[state.control_plane])
    for host in run.active:
        reason = f"not removed: no API server answers: {state.complaint or 'there is no cluster'}"
        error = ClusterError(reason, host=host.name, step="drain")
        error.fix = "bring a control plane back; where the whole cluster is to go, use `nodestrap reset`"
        run.fail(error, state=HostState.SKIPPED)
    return None


def find_node(host: HostSpec, state: ClusterState) -> NodeState | None:
    """The host's node: by its name, or by the address under which it is reached."""
    named = state.nodes.get(node_name(host))
    if named is not None:
        return named
    address = str(host.variables.get("ansible_host") or host.name)
    return next((node for node in state.nodes.values() if address in node.addresses), None)


def drain_words(run: Run, node: NodeState, state: ClusterState) -> list[str]:
    """kubectl's words for a drain; the option for emptyDirs has another name before 1.20."""
    server = version.parse(state.server_version or "1.20.0")
    empty_dirs = "--delete-emptydir-data" if server.minor_version >= (1, 20) else "--delete-local-data"
    words = ["drain", node.name, "--ignore-daemonsets", empty_dirs, f"--timeout={run.drain_timeout:.0f}s"]
    return [*words, "--force"] if run.force else words


def foretell(run: Run, action: str) -> None:
    """Note the action for every host that has a node; nothing is done."""
    state = ask(run)
    for host in run.active:
        node = find_node(host, state)
        if node is not None:
            note(run, host, Effect("node", node.name, (action,)))


def note(run: Run, host: HostSpec, effect: Effect) -> None:
    run.effects.setdefault(host.name, []).append(effect)
    run.changed[host.name] = run.changed.get(host.name, 0) + 1
