"""kubectl logs, through the API server and each kubelet."""

from __future__ import annotations

from functools import partial

from installer.verify.check import check, expect
from installer.verify.cluster import Probe
from installer.verify.context import Context
from installer.verify.waiting import wait_for


@check(
    "cluster.logs",
    tier=3,
    title="Logs come through the API server",
    proves="API server to kubelet, and the kubelet's reading of the CRI log",
    fix="can the API server reach port 10250 of the node's address?",
)
def cluster_logs(ctx: Context) -> str:
    for probe in ctx.cluster.probes:
        wanted = f"{probe.name} is up"
        said = wait_for(
            partial(_log, ctx, probe, wanted),
            f"{wanted!r} in the log of {probe.name} on {probe.node}",
            timeout=10,
        )
        expect(said.strip() == wanted, f"{probe.name}'s log is {said!r}")
    return f"{len(ctx.cluster.probes)} nodes"


def _log(ctx: Context, probe: Probe, wanted: str) -> str | None:
    text = ctx.cluster.logs(probe)
    return text if wanted in text else None
