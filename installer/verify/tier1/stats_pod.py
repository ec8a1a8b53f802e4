"""PodSandboxStats, ListPodSandboxStats."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "stats.pod",
    tier=1,
    title="Measures a pod and its network",
    proves="PodSandboxStats and ListPodSandboxStats: attributes, cpu, memory, network, containers",
    fix="/stats/summary depends on it where the kubelet asks the CRI for pod stats",
)
def stats_pod(ctx: Context) -> str:
    container = ctx.container
    pod = container.pod
    try:
        stats = ctx.runtime.PodSandboxStats(cri_pb2.PodSandboxStatsRequest(pod_sandbox_id=pod.id)).stats
    except CriError as error:
        if error.code == "UNIMPLEMENTED" and ctx.predates_runtime_config:
            raise NotApplicable("the endpoint predates pod stats") from None
        raise
    expect_equal(stats.attributes.id, pod.id, "attributes.id")
    expect_equal(stats.attributes.metadata, pod.config.metadata, "attributes.metadata")
    linux = stats.linux
    expect(linux.memory.working_set_bytes.value > 0, "memory.working_set_bytes is 0")
    expect(linux.cpu.usage_core_nano_seconds.value > 0, "cpu.usage_core_nano_seconds is 0")
    expect(linux.network.default_interface.name, "network.default_interface has no name")
    inside = [each.attributes.id for each in linux.containers]
    expect(container.id in inside, "the pod's container is not among its containers")
    only = cri_pb2.ListPodSandboxStatsRequest(filter=cri_pb2.PodSandboxStatsFilter(id=pod.id))
    listed = [each.attributes.id for each in ctx.runtime.ListPodSandboxStats(only).stats]
    expect_equal(listed, [pod.id], "ListPodSandboxStats by id")
    interface = linux.network.default_interface
    return f"{interface.name} received {interface.rx_bytes.value} bytes; {len(inside)} containers"
