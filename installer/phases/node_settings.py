"""Labels and taints of nodes that had joined before the inventory named them; what others set stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from installer.control_plane.observe import NodeState, kubectl_on, node_states
from installer.kubeadm.settings import Node
from installer.phases.base import Phase
from installer.phases.kubernetes import kubernetes_of
from installer.run import Run


class NodeSettings(Phase):
    name = "settings"
    stage = "network"
    title = "Labels and taints"

    def should_run(self, run: Run) -> bool:
        return any(True for _ in _wishes(run))

    def run(self, run: Run) -> None:
        kubernetes = kubernetes_of(run)
        reached = kubernetes.state.control_plane
        if reached is None:
            return  # the network's phase has said so
        kubectl = kubectl_on(run.connections[reached])
        states = node_states(kubectl)
        for host, node in _wishes(run):
            state = states.get(node.name)
            for words in missing(node, state) if state else ():
                kubectl(words[0], "node", node.name, *words[1:], "--overwrite")
                run.changed[host] = run.changed.get(host, 0) + 1

    def dry_run(self, run: Run) -> None:
        """A node that is there already is told of; one that is to join brings its own."""
        kubernetes = kubernetes_of(run)
        for host, node in _wishes(run):
            state = kubernetes.state.nodes.get(node.name)
            if state is not None:
                run.changed[host] = run.changed.get(host, 0) + len(missing(node, state))


def missing(node: Node, state: NodeState) -> list[tuple[str, ...]]:
    """The words for kubectl, ``label …`` and ``taint …``, that bring a node to what is wanted."""
    labels = [f"{key}={value}" for key, value in node.labels.items() if state.labels.get(key) != value]
    present = {(taint["key"], taint.get("value") or "", taint["effect"]) for taint in state.taints}
    taints = [
        f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
        for taint in node.taints
        if (taint.key, taint.value, taint.effect) not in present
    ]
    return [(verb, *words) for verb, words in (("label", labels), ("taint", taints)) if words]


def _wishes(run: Run) -> Iterator[tuple[str, Node]]:
    nodes: Mapping[str, Node] = run.kubernetes.nodes if run.kubernetes else {}
    for host in run.active:
        node = nodes.get(host.name)
        if node is not None and (node.labels or node.taints):
            yield host.name, node
