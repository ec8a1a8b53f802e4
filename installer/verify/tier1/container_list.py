"""ListContainers and its filters."""

from __future__ import annotations

from typing import Any

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.pods import LABEL
from pycri._generated import cri_pb2


@check(
    "container.list",
    tier=1,
    title="Lists containers by id, pod, state and label",
    proves="ListContainers; ContainerFilter.id (prefixes too), pod_sandbox_id, state, label_selector",
    fix="compare with: crictl ps -a",
)
def container_list(ctx: Context) -> str:
    container = ctx.container
    running = cri_pb2.ContainerStateValue(state=cri_pb2.CONTAINER_RUNNING)
    exited = cri_pb2.ContainerStateValue(state=cri_pb2.CONTAINER_EXITED)

    def listed(**fields: Any) -> list[Any]:
        request = cri_pb2.ListContainersRequest(filter=cri_pb2.ContainerFilter(**fields))
        return list(ctx.runtime.ListContainers(request).containers)

    def ids(**fields: Any) -> list[str]:
        return [each.id for each in listed(**fields)]

    expect(container.id in ids(), "the container is not in the whole list")
    expect_equal(ids(id=container.id), [container.id], "the list by id")
    expect_equal(ids(id=container.id[:13]), [container.id], "the list by the start of the id")
    expect(container.id in ids(pod_sandbox_id=container.pod.id), "the container is not in its pod's list")
    mine = {LABEL: ctx.session.run_id}
    expect(container.id in ids(label_selector=mine), "the container is not in the list by label")
    expect_equal(ids(id=container.id, state=running), [container.id], "the list by id and RUNNING")
    expect_equal(ids(id=container.id, state=exited), [], "the list by id and EXITED")
    entry = listed(id=container.id)[0]
    expect_equal(entry.pod_sandbox_id, container.pod.id, "pod_sandbox_id in the list")
    expect_equal(entry.metadata, container.config.metadata, "metadata in the list")
    return "id, prefix, pod, state and label choose"
