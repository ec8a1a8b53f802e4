"""ListPodSandbox and its filters."""

from __future__ import annotations

from typing import Any

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.pods import LABEL
from pycri._generated import cri_pb2


@check(
    "pod.list",
    tier=1,
    title="Lists pods by id, state and label",
    proves="ListPodSandbox; PodSandboxFilter.id (prefixes too), state, label_selector",
    fix="compare with: crictl pods",
)
def pod_list(ctx: Context) -> str:
    pod = ctx.container.pod
    mine = {LABEL: ctx.session.run_id}
    ready = cri_pb2.PodSandboxStateValue(state=cri_pb2.SANDBOX_READY)
    not_ready = cri_pb2.PodSandboxStateValue(state=cri_pb2.SANDBOX_NOTREADY)

    def listed(**fields: Any) -> list[str]:
        request = cri_pb2.ListPodSandboxRequest(filter=cri_pb2.PodSandboxFilter(**fields))
        return [item.id for item in ctx.runtime.ListPodSandbox(request).items]

    expect(pod.id in listed(), "the pod is not in the whole list")
    expect_equal(listed(id=pod.id), [pod.id], "the list by id")
    expect_equal(listed(id=pod.id[:13]), [pod.id], "the list by the start of the id")
    expect(pod.id in listed(label_selector=mine), "the pod is not in the list by label")
    expect_equal(listed(label_selector={**mine, "app": "other"}), [], "the list by a label it has not")
    expect_equal(listed(id=pod.id, state=ready), [pod.id], "the list by id and READY")
    expect_equal(listed(id=pod.id, state=not_ready), [], "the list by id and NOTREADY")
    return f"{len(listed())} listed; id, prefix, state and label choose"
