"""UpdatePodSandboxResources, and resources and overhead of a pod."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.gaps import answered
from pycri._generated import cri_pb2


@check(
    "pod.resources",
    tier=2,
    title="Takes note of a pod's resources and overhead, and of their change",
    proves=(
        "LinuxPodSandboxConfig.resources and overhead; UpdatePodSandboxResourcesRequest: resources, overhead"
    ),
    fix="in-place resize of pods calls it: it must answer, also where the kubelet does the work itself",
)
def pod_resources(ctx: Context) -> str:
    limits = cri_pb2.LinuxContainerResources(memory_limit_in_bytes=128 << 20, cpu_shares=512)
    extra = cri_pb2.LinuxContainerResources(memory_limit_in_bytes=8 << 20, cpu_shares=10)
    linux = cri_pb2.LinuxPodSandboxConfig(resources=limits, overhead=extra)
    with ctx.pod("resources", linux=linux) as pod:
        expect_equal(pod.status.state, cri_pb2.SANDBOX_READY, "the state of a pod with resources")
        limits.memory_limit_in_bytes += 16 << 20
        request = cri_pb2.UpdatePodSandboxResourcesRequest(
            pod_sandbox_id=pod.id, resources=limits, overhead=extra
        )
        answered(ctx.runtime.UpdatePodSandboxResources, request, since="1.33")
        request.pod_sandbox_id = "0" * 64
        try:
            ctx.runtime.UpdatePodSandboxResources(request)
        except CriError as error:
            expect_equal(error.code, "NOT_FOUND", "the status for an unknown pod")
        else:
            return "taken; an unknown pod is no error"
    return "taken at the start and changed; an unknown pod is NOT_FOUND"
