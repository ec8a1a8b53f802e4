"""Limits: in the cgroup, in the status, and after an update."""

from __future__ import annotations

from installer.verify import shared_pod
from installer.verify.cgroup_limits import Limits, read_limits
from installer.verify.check import NotApplicable, check, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.resources",
    tier=1,
    title="Sets CPU and memory limits, and tells them",
    proves="LinuxContainerResources in the cgroup and in ContainerStatus.resources; UpdateContainerResources",
    fix="is the cgroup driver right, and are the controllers delegated? See the daemon's log",
)
def container_resources(ctx: Context) -> str:
    container = ctx.container
    wanted = Limits(shared_pod.MEMORY_LIMIT, shared_pod.CPU_QUOTA, shared_pod.CPU_PERIOD)
    expect_equal(read_limits(container), wanted, "the cgroup")
    memory = shared_pod.MEMORY_LIMIT + 16 * 1024 * 1024
    update = cri_pb2.LinuxContainerResources(memory_limit_in_bytes=memory)
    status = container.status
    other = container.pod.start(name="resources", linux=container.config.linux)
    try:
        ctx.runtime.UpdateContainerResources(
            cri_pb2.UpdateContainerResourcesRequest(container_id=other.id, linux=update)
        )
        expect_equal(read_limits(other).memory, memory, "the memory limit after an update")
    finally:
        other.stop()
        other.remove()
    if not status.HasField("resources") and ctx.predates_runtime_config:
        raise NotApplicable("in the cgroup all is right; the endpoint predates ContainerStatus.resources")
    told = status.resources.linux
    found = Limits(told.memory_limit_in_bytes, told.cpu_quota, told.cpu_period)
    expect_equal(found, wanted, "ContainerStatus.resources")
    return f"{wanted.memory >> 20} MiB, quota {wanted.quota}/{wanted.period}; updated to {memory >> 20} MiB"
