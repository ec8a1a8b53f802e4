"""A hostPort is open on the node's own address."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.cluster import url
from installer.verify.context import Context


@check(
    "cluster.host-port",
    tier=3,
    title="Host ports are open on the nodes' addresses",
    proves="ContainerPort.hostPort, by way of the CNI plugin portmap or what takes its place",
    fix="the CNI configuration needs portmap with the capability portMappings",
)
def cluster_host_port(ctx: Context) -> str:
    cluster = ctx.cluster
    by_address = {
        address: probe for probe in cluster.probes for address in cluster.nodes[probe.node].addresses[:1]
    }
    for probe in cluster.probes:
        others = {a: p for a, p in by_address.items() if p.node != probe.node} or by_address
        answers = cluster.fetch(probe, [url(address, cluster.host_port) for address in others])
        for address, other in others.items():
            said = answers[url(address, cluster.host_port)]
            expect(
                said == other.name,
                f"{probe.node} to {address}:{cluster.host_port} on {other.node}: {said or 'no answer'}",
            )
    return f"port {cluster.host_port} of {', '.join(by_address)}"
