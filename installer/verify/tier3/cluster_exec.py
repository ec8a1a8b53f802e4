"""kubectl exec, through the API server, each kubelet and the runtime's streaming server."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.context import Context


@check(
    "cluster.exec",
    tier=3,
    title="Commands run in pods through the API server",
    proves="exec with stdin and stdout, end to end: API server, kubelet, Exec's URL",
    fix="the kubelet's journal names the URL that it was given; is the streaming address one it reaches?",
)
def cluster_exec(ctx: Context) -> str:
    for probe in ctx.cluster.probes:
        said = ctx.cluster.exec(probe, "cat", stdin=b"through and back\n")
        expect(said == "through and back\n", f"{probe.node}: cat gave back {said!r}")
    return f"{len(ctx.cluster.probes)} nodes"
