"""Every node is ready."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.context import Context


@check(
    "cluster.nodes-ready",
    tier=3,
    title="Every node is ready",
    proves="the condition Ready of each Node: its kubelet, its runtime and its network",
    fix="`kubectl describe node` says why; then `journalctl -u kubelet -u pycri` on it",
    first=True,
)
def cluster_nodes_ready(ctx: Context) -> str:
    nodes = ctx.cluster.nodes
    unready = [f"{node.name}: {node.reason}" for node in nodes.values() if not node.ready]
    expect(nodes and not unready, "; ".join(unready) or "the cluster has no node")
    return f"{len(nodes)} nodes, kubelets {', '.join(sorted({n.kubelet_version for n in nodes.values()}))}"
