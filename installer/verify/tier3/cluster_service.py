"""A Service leads to its pods, from every node."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.cluster import url
from installer.verify.context import Context


@check(
    "cluster.service",
    tier=3,
    title="A Service leads to its pods from every node",
    proves="kube-proxy: a ClusterIP is reached from pods on every node",
    fix="look at kube-proxy's log on that node: `kubectl -n kube-system logs -l k8s-app=kube-proxy`",
)
def cluster_service(ctx: Context) -> str:
    names = {probe.name for probe in ctx.cluster.probes}
    address = ctx.cluster.service_address
    for probe in ctx.cluster.probes:
        said = ctx.cluster.fetch_patiently(probe, url(address, 80))
        expect(said in names, f"from {probe.node}, {address} says {said or 'nothing'}")
    return f"{address} from {len(names)} nodes"
