"""Requests that make no sense are refused, and leave nothing."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.pods import LABEL, pod_config
from pycri._generated import cri_pb2


@check(
    "pod.refusals",
    tier=2,
    title="Refuses a pod without metadata and one with an unknown handler",
    proves="RunPodSandboxRequest: config.metadata and runtime_handler are checked before anything is made",
    fix="a RuntimeClass that the node does not have must fail at once, and not run with another runtime",
)
def pod_refusals(ctx: Context) -> str:
    ctx.session.kubelet.get()
    config = pod_config(ctx.session, "refused")
    nameless = cri_pb2.PodSandboxConfig(labels=config.labels)
    requests = {
        "without metadata": cri_pb2.RunPodSandboxRequest(config=nameless),
        "with an unknown handler": cri_pb2.RunPodSandboxRequest(config=config, runtime_handler="no-such"),
    }
    told = []
    for what, request in requests.items():
        ctx.session.pods_asked_for = True
        try:
            ctx.runtime.RunPodSandbox(request)
        except CriError as error:
            told.append(f"{what}: {error.details[:70]}")
        else:
            raise Failed(f"a pod {what} runs")
    mine = {LABEL: ctx.session.run_id}
    only = cri_pb2.ListPodSandboxRequest(filter=cri_pb2.PodSandboxFilter(label_selector=mine))
    names = [pod.metadata.name for pod in ctx.runtime.ListPodSandbox(only).items]
    expect_equal([name for name in names if name.startswith("refused") or not name], [], "pods left")
    return "; ".join(told)
