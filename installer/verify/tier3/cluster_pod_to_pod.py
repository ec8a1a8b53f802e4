"""Pods reach pods, between each two nodes."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.cluster import PORT, url
from installer.verify.context import Context


@check(
    "cluster.pod-to-pod",
    tier=3,
    title="Pods reach each other between all nodes",
    proves="the Kubernetes network model: every pod reaches every other by its address",
    fix="look at routes, or the network's own pods, on both nodes; does a firewall stop pods?",
)
def cluster_pod_to_pod(ctx: Context) -> str:
    probes = ctx.cluster.probes
    wanted = {url(address, PORT): other for other in probes for address in other.addresses}
    failed = []
    for probe in probes:
        for where, said in ctx.cluster.fetch(probe, list(wanted)).items():
            if said != wanted[where].name:
                failed.append(f"{probe.node} to {wanted[where].node} ({where}): {said or 'no answer'}")
    expect(not failed, "; ".join(failed))
    return f"{len(probes) ** 2} pairs of nodes"
