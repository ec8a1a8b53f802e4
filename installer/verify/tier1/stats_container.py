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
    for name, fields in {"id": {"id": container.id}, "pod": {"pod_sandbox_id": container.pod.id}}.items():
        only = cri_pb2.ListContainerStatsRequest(filter=cri_pb2.ContainerStatsFilter(**fields))
        listed = [each.attributes.id for each in ctx.runtime.ListContainerStats(only).stats]
        expect(container.id in listed, f"ListContainerStats by {name} does not hold the container")
    working_set = stats.memory.working_set_bytes.value
    return (
        f"{stats.cpu.usage_core_nano_seconds.value / 1e6:.0f} ms of CPU, {working_set >> 10} KiB working set"
    )
