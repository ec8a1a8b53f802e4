"""StopPodSandbox and RemovePodSandbox, each twice."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "pod.idempotent",
    tier=1,
    title="Stops and removes a pod twice",
    proves="StopPodSandbox and RemovePodSandbox are idempotent, end containers, and leave nothing listed",
    fix="the kubelet repeats both calls: an error for the second keeps the pod Terminating",
)
def pod_idempotent(ctx: Context) -> str:
    with ctx.pod("idempotent") as pod:
        container = pod.start()
        stop = cri_pb2.StopPodSandboxRequest(pod_sandbox_id=pod.id)
        ctx.runtime.StopPodSandbox(stop)
        expect_equal(pod.status.state, cri_pb2.SANDBOX_NOTREADY, "the state after StopPodSandbox")
        expect_equal(container.status.state, cri_pb2.CONTAINER_EXITED, "its container's state")
        ctx.runtime.StopPodSandbox(stop)
        remove = cri_pb2.RemovePodSandboxRequest(pod_sandbox_id=pod.id)
        ctx.runtime.RemovePodSandbox(remove)
        ctx.runtime.RemovePodSandbox(remove)
        _stop_unknown(ctx, stop)
        by_id = cri_pb2.PodSandboxFilter(id=pod.id)
        listed = ctx.runtime.ListPodSandbox(cri_pb2.ListPodSandboxRequest(filter=by_id)).items
        expect(not listed, "the pod is still listed after its removal")
        of_pod = cri_pb2.ContainerFilter(pod_sandbox_id=pod.id)
        containers = ctx.runtime.ListContainers(cri_pb2.ListContainersRequest(filter=of_pod)).containers
        expect(not containers, "its container is still listed")
        try:
            status = pod.status
        except CriError as error:
            expect_equal(error.code, "NOT_FOUND", "the code of PodSandboxStatus after the removal")
        else:
            raise Failed(f"PodSandboxStatus still answers after the removal: state {status.state}")
    return "each call succeeds twice; the container is gone with its pod"


def _stop_unknown(ctx: Context, stop: cri_pb2.StopPodSandboxRequest) -> None:
    try:
        ctx.runtime.StopPodSandbox(stop)
    except CriError as error:
        # containerd 1.6 answers so, and the kubelets of its age took it
        if error.code != "NOT_FOUND" or not ctx.predates_runtime_config:
            raise
