"""Statistics of some containers and pods."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.gaps import answered
from installer.verify.pods import LABEL
from installer.verify.waiting import wait_for
from pycri._generated import cri_pb2


@check(
    "stats.filters",
    tier=2,
    title="Measures those that are asked for, and counts what they use",
    proves=(
        "ContainerStatsFilter: id, pod_sandbox_id, label_selector; PodSandboxStatsFilter: id, label_selector"
    ),
    fix="kubectl top and /stats/summary depend on it",
)
def stats_filters(ctx: Context) -> str:
    container, mine = ctx.container, {LABEL: ctx.session.run_id}
    none = {LABEL: "none"}

    def containers(**fields: object) -> list[str]:
        only = cri_pb2.ContainerStatsFilter(**fields)  # type: ignore[arg-type]
        request = cri_pb2.ListContainerStatsRequest(filter=only)
        return [each.attributes.id for each in ctx.runtime.ListContainerStats(request).stats]

    def pods(**fields: object) -> list[str]:
        only = cri_pb2.PodSandboxStatsFilter(**fields)  # type: ignore[arg-type]
        request = cri_pb2.ListPodSandboxStatsRequest(filter=only)
        return [
            each.attributes.id
            for each in answered(ctx.runtime.ListPodSandboxStats, request, since="1.23").stats
        ]

    expect_equal(containers(id=container.id), [container.id], "the containers by id")
    expect(container.id in containers(label_selector=mine), "the container is not found by its label")
    expect_equal(containers(label_selector=none), [], "the containers by a label that none has")
    expect(container.id in containers(pod_sandbox_id=container.pod.id), "it is not found by its pod")
    expect_equal(pods(id=container.pod.id), [container.pod.id], "the pods by id")
    expect(container.pod.id in pods(label_selector=mine), "the pod is not found by its label")
    expect_equal(pods(label_selector=none), [], "the pods by a label that none has")

    def used() -> int:
        request = cri_pb2.ContainerStatsRequest(container_id=container.id)
        return int(ctx.runtime.ContainerStats(request).stats.cpu.usage_core_nano_seconds.value)

    before = used()
    container.output("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
    after = wait_for(lambda: max(used() - before, 0), "more CPU time after some work", timeout=10)
    return f"id, pod and label choose; {after / 1e6:.0f} ms of CPU for some work"
