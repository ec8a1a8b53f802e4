"""Ids that nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from installer.verify.check import Failed, check, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.gaps import containerd_gap
from installer.verify.pods import pod_config
from pycri._generated import cri_pb2

_ID = "f" * 64


@check(
    "api.unknown-ids",
    tier=2,
    title="Says NOT_FOUND of ids that it does not know, and removes them gladly",
    proves=(
        "NOT_FOUND of each RPC that takes an id; StopPodSandbox, RemovePodSandbox, RemoveContainer succeed"
    ),
    fix="the kubelet tells a container that is gone from a runtime in trouble by this code",
)
def api_unknown_ids(ctx: Context) -> str:
    runtime = ctx.runtime
    config = cri_pb2.ContainerConfig(
        metadata=cri_pb2.ContainerMetadata(name="none"), image=cri_pb2.ImageSpec(image=ctx.image.id)
    )
    sandbox = pod_config(ctx.session, "none")
    create = cri_pb2.CreateContainerRequest(pod_sandbox_id=_ID, config=config, sandbox_config=sandbox)
    exec_sync = cri_pb2.ExecSyncRequest(container_id=_ID, cmd=["true"], timeout=5)
    streaming = cri_pb2.ExecRequest(container_id=_ID, cmd=["true"], stdout=True)
    attach = cri_pb2.AttachRequest(container_id=_ID, stdout=True)
    update = cri_pb2.UpdateContainerResourcesRequest(
        container_id=_ID, linux=cri_pb2.LinuxContainerResources(cpu_shares=2)
    )
    refused: list[tuple[Callable[[Any], Any], Any]] = [
        (runtime.PodSandboxStatus, cri_pb2.PodSandboxStatusRequest(pod_sandbox_id=_ID)),
        (runtime.CreateContainer, create),
        (runtime.StartContainer, cri_pb2.StartContainerRequest(container_id=_ID)),
        (runtime.ContainerStatus, cri_pb2.ContainerStatusRequest(container_id=_ID)),
        (runtime.UpdateContainerResources, update),
        (runtime.ReopenContainerLog, cri_pb2.ReopenContainerLogRequest(container_id=_ID)),
        (runtime.ExecSync, exec_sync),
        (runtime.Exec, streaming),
        (runtime.Attach, attach),
        (runtime.PortForward, cri_pb2.PortForwardRequest(pod_sandbox_id=_ID, port=[80])),
        (runtime.ContainerStats, cri_pb2.ContainerStatsRequest(container_id=_ID)),
        (runtime.PodSandboxStats, cri_pb2.PodSandboxStatsRequest(pod_sandbox_id=_ID)),
    ]
    for call, request in refused:
        name = type(request).__name__.removesuffix("Request")
        try:
            call(request)
        except CriError as error:
            if error.code != "UNIMPLEMENTED" or not ctx.predates_runtime_config:
                expect_equal(error.code, "NOT_FOUND", f"the status of {name} ({error.details[:80]})")
        else:
            raise Failed(f"{name} of an unknown id succeeds")
    try:
        runtime.StopPodSandbox(cri_pb2.StopPodSandboxRequest(pod_sandbox_id=_ID))
    except CriError as error:
        if error.code == "NOT_FOUND":
            containerd_gap(ctx, "says NOT_FOUND to StopPodSandbox too; the rest is right", before=(1, 7))
        raise
    runtime.RemovePodSandbox(cri_pb2.RemovePodSandboxRequest(pod_sandbox_id=_ID))
    runtime.StopContainer(cri_pb2.StopContainerRequest(container_id=_ID))
    runtime.RemoveContainer(cri_pb2.RemoveContainerRequest(container_id=_ID))
    return f"{len(refused)} RPCs say NOT_FOUND; stopping and removing succeeds"
