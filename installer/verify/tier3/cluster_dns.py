"""Services have names."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context


@check(
    "cluster.dns",
    tier=3,
    title="Pods find Services by name",
    proves="the cluster's DNS, through the resolv.conf that the kubelet gives to pods",
    fix="look at the DNS pods: `kubectl -n kube-system logs -l k8s-app=kube-dns`",
)
def cluster_dns(ctx: Context) -> str:
    cluster = ctx.cluster
    service = cluster.kubectl.find("service", "kube-dns", "--namespace", "kube-system")
    if service is None:
        raise NotApplicable("the cluster has no DNS: there is no Service kube-dns (CoreDNS was left out)")
    endpoints = cluster.kubectl.find("endpoints", "kube-dns", "--namespace", "kube-system") or {}
    expect(
        any(subset.get("addresses") for subset in endpoints.get("subsets") or ()),
        "no pod of the DNS is ready",
    )
    wanted = str(cluster.kubectl.get("service", "kubernetes")["spec"]["clusterIP"])
    for probe in cluster.probes:
        search = cluster.exec(probe, "grep", "^search", "/etc/resolv.conf").split()
        domain = next(
            (name.removeprefix("svc.") for name in search if name.startswith("svc.")), "cluster.local"
        )
        said = cluster.exec(probe, "nslookup", f"kubernetes.default.svc.{domain}", timeout=20)
        expect(wanted in said, f"{probe.node}: {' '.join(said.split())}")
    return f"kubernetes.default is {wanted} on {len(cluster.probes)} nodes"
