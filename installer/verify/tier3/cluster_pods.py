"""A pod runs on every node."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from installer.verify.check import check, expect
from installer.verify.context import Context


@check(
    "cluster.pods",
    tier=3,
    title="A pod runs on every node and has an address of it",
    proves="pods become Ready; their addresses are from the podCIDRs of their nodes, where those are set",
    fix="`kubectl describe pod` says what the kubelet met",
    gate=True,
)
def cluster_pods(ctx: Context) -> str:
    probes, nodes = ctx.cluster.probes, ctx.cluster.nodes
    shown = []
    for probe in probes:
        cidrs = nodes[probe.node].pod_cidrs
        if ctx.cluster.routed and cidrs:
            outside = [address for address in probe.addresses if not _within(address, cidrs)]
            expect(not outside, f"{', '.join(outside)} on {probe.node} is outside of {', '.join(cidrs)}")
        shown.append(f"{probe.node}: {', '.join(probe.addresses)}")
    return "; ".join(shown)


def _within(address: str, cidrs: tuple[str, ...]) -> bool:
    """Whether one of the ranges holds the address."""
    return any(ip_address(address) in ip_network(cidr) for cidr in cidrs)
