"""Pod metrics under cAdvisor's names."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.gaps import all_answers, answered, containerd_gap
from pycri._generated import cri_pb2

_WANTED = (
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "container_memory_usage_bytes",
)
_NETWORK = "container_network_receive_bytes_total"


@check(
    "stats.metrics",
    tier=2,
    title="Gives metrics of pods and containers under the names that people know",
    proves=(
        "ListMetricDescriptors, ListPodSandboxMetrics, StreamPodSandboxMetrics: each metric has "
        "its descriptor"
    ),
    fix="the kubelet's /metrics/cadvisor is made of it with PodAndContainerStatsFromCRI",
)
def stats_metrics(ctx: Context) -> str:
    containerd_gap(ctx, "has no pod metrics, or not all", before=(2, 2))
    runtime, container = ctx.runtime, ctx.container
    described = answered(
        runtime.ListMetricDescriptors, cri_pb2.ListMetricDescriptorsRequest(), since="1.26"
    ).descriptors
    labels = {each.name: len(each.label_keys) for each in described}
    expect_equal(len(labels), len(described), "the number of distinct descriptors")
    for name in (*_WANTED, _NETWORK):
        expect(name in labels, f"{name} has no descriptor")
    listed = answered(
        runtime.ListPodSandboxMetrics, cri_pb2.ListPodSandboxMetricsRequest(), since="1.26"
    ).pod_metrics
    mine = next((each for each in listed if each.pod_sandbox_id == container.pod.id), None)
    if mine is None:
        expect(False, "the pod is not among those measured")
        return ""
    inside = {each.container_id: each.metrics for each in mine.container_metrics}
    expect(container.id in inside, "the container is not among those of its pod")
    for metric in (*mine.metrics, *inside[container.id]):
        expect_equal(
            len(metric.label_values), labels.get(metric.name), f"the number of labels of {metric.name}"
        )
        expect(metric.timestamp > 0, f"{metric.name} has no timestamp")
    values = {metric.name: metric.value.value for metric in inside[container.id]}
    for name in _WANTED:
        expect(name in values, f"{name} is missing for the container")
    expect(values[_WANTED[1]] > 0, f"{_WANTED[1]} is 0")
    expect(_NETWORK in {metric.name for metric in mine.metrics}, f"{_NETWORK} is missing for the pod")
    streamed = all_answers(
        runtime.StreamPodSandboxMetrics, cri_pb2.StreamPodSandboxMetricsRequest(), since="1.36"
    )
    pods = {each.pod_sandbox_id for part in streamed for each in part.pod_sandbox_metrics}
    expect(container.pod.id in pods, "the pod is not in StreamPodSandboxMetrics")
    return f"{len(labels)} descriptors; {len(inside[container.id])} metrics of the container"
