"""The kubelet's cAdvisor knows the pods of its containers."""

from __future__ import annotations

import re
from functools import partial

from installer.verify.check import check
from installer.verify.context import Context
from installer.verify.waiting import wait_for

_METRIC = "container_memory_working_set_bytes"


@check(
    "cluster.metrics-cadvisor",
    tier=3,
    title="Container metrics carry their pods' labels",
    proves="/metrics/cadvisor of each kubelet: namespace, pod and container of our pod",
    fix="cAdvisor reads containerd's namespace k8s.io: pycri's containers must be there, with its labels",
)
def cluster_metrics_cadvisor(ctx: Context) -> str:
    for probe in ctx.cluster.probes:
        pattern = re.compile(
            rf'^{_METRIC}{{(?=[^}}]*container="web")(?=[^}}]*namespace="{ctx.cluster.namespace}")'
            rf'[^}}]*pod="{probe.name}"',
            re.MULTILINE,
        )
        path = f"/api/v1/nodes/{probe.node}/proxy/metrics/cadvisor"
        wait_for(
            partial(_found, ctx, path, pattern),
            f"{_METRIC} with the labels of {probe.name} on {probe.node}",
            timeout=60,
            interval=0.3,
        )
    return f"{_METRIC} of {len(ctx.cluster.probes)} nodes"


def _found(ctx: Context, path: str, pattern: re.Pattern[str]) -> bool:
    return pattern.search(ctx.cluster.raw(path)) is not None
