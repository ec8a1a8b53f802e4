"""The kubelet's summary has each pod's memory and network."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from installer.verify.check import check
from installer.verify.context import Context
from installer.verify.waiting import wait_for


@check(
    "cluster.stats-summary",
    tier=3,
    title="The kubelet's summary has memory and network of pods",
    proves="/stats/summary of each kubelet, which `kubectl top` and the eviction manager rest on",
    fix="compare with `crictl statsp` on that node",
)
def cluster_stats_summary(ctx: Context) -> str:
    shown = []
    for probe in ctx.cluster.probes:
        pod = wait_for(
            partial(_complete, ctx, probe.node, probe.name),
            f"memory and network of {probe.name} in the summary of {probe.node}",
            timeout=60,
            interval=0.3,
        )
        shown.append(f"{probe.node}: {_memory(pod) >> 10} KiB, {pod['network']['rxBytes']} B received")
    return "; ".join(shown)


def _complete(ctx: Context, node: str, name: str) -> dict[str, Any] | None:
    summary = json.loads(ctx.cluster.raw(f"/api/v1/nodes/{node}/proxy/stats/summary"))
    for pod in summary.get("pods") or ():
        known = pod["podRef"]["name"] == name and pod["podRef"]["namespace"] == ctx.cluster.namespace
        if known and _memory(pod) and (pod.get("network") or {}).get("rxBytes"):
            return dict(pod)
    return None


def _memory(pod: dict[str, Any]) -> int:
    containers = pod.get("containers") or ()
    return sum((each.get("memory") or {}).get("workingSetBytes") or 0 for each in containers)
