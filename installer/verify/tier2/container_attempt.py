"""The next attempt at a container."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.attempt",
    tier=2,
    title="Keeps attempts of one container apart",
    proves=(
        "ContainerMetadata: name and attempt together are unique in a pod; labels and annotations in the list"
    ),
    fix="a restarted container could not be created otherwise",
)
def container_attempt(ctx: Context) -> str:
    pod = ctx.container.pod
    first, second = (
        pod.create(
            name="attempt",
            attempt=attempt,
            labels={"try": "yes"},
            annotations={"nodestrap.io/try": str(attempt)},
        )
        for attempt in (0, 1)
    )
    try:
        expect(first.id != second.id, "the second attempt has the id of the first")
        only = cri_pb2.ContainerFilter(pod_sandbox_id=pod.id, label_selector={"try": "yes"})
        listed = ctx.runtime.ListContainers(cri_pb2.ListContainersRequest(filter=only)).containers
        found = {each.id: each for each in listed}
        expect_equal(sorted(each.metadata.attempt for each in listed), [0, 1], "the attempts listed")
        told = dict(found[second.id].annotations)
        expect_equal(told, {"nodestrap.io/try": "1"}, "annotations in the list")
    finally:
        for container in (first, second):
            container.remove()
    return "attempts 0 and 1 side by side"
