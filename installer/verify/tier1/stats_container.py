"""ContainerStats, ListContainerStats."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "stats.container",
    tier=1,
    title="Measures a container",
    proves="ContainerStats and ListContainerStats: attributes, cpu, memory; ContainerStatsFilter",
    fix="kubectl top and eviction depend on it: are the container's cgroup files readable?",
)
def stats_container(ctx: Context) -> str:
    container = ctx.container
    request = cri_pb2.ContainerStatsRequest(container_id=container.id)
    stats = ctx.runtime.ContainerStats(request).stats
    expect_equal(stats.attributes.id, container.id, "attributes.id")
    expect_equal(stats.attributes.metadata, container.config.metadata, "attributes.metadata")
    expect(stats.cpu.timestamp > 10**18, f"cpu.timestamp is {stats.cpu.timestamp}, not nanoseconds")
    expect(stats.cpu.usage_core_nano_seconds.value > 0, "cpu.usage_core_nano_seconds is 0")
    expect(stats.memory.working_set_bytes.value > 0, "memory.working_set_bytes is 0")
    by_id = cri_pb2.ContainerStatsFilter(id=container.id)
    by_pod = cri_pb2.ContainerStatsFilter(pod_sandbox_id=container.pod.id)
    for only in (by_id, by_pod):
        answer = ctx.runtime.ListContainerStats(cri_pb2.ListContainerStatsRequest(filter=only))
        listed = [each.attributes.id for each in answer.stats]
        expect(container.id in listed, f"ListContainerStats filtered by {only} does not hold the container")
    cpu, memory = stats.cpu.usage_core_nano_seconds.value, stats.memory.working_set_bytes.value
    return f"{cpu / 1e6:.0f} ms of CPU, {memory >> 10} KiB working set"
