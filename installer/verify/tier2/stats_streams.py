"""Lists as streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.gaps import all_answers
from pycri._generated import cri_pb2


@check(
    "stats.streams",
    tier=2,
    title="Streams the lists of pods, containers and statistics",
    proves=(
        "StreamPodSandboxes, StreamContainers, StreamPodSandboxStats, StreamContainerStats: "
        "filter, same entries"
    ),
    fix="kubelets from 1.36 list this way when they may: no list is too long for a message",
)
def stats_streams(ctx: Context) -> str:
    runtime, container = ctx.runtime, ctx.container
    pod = container.pod
    entries = 0
    streams = (
        _Stream(
            runtime.StreamPodSandboxes,
            cri_pb2.StreamPodSandboxesRequest(filter=cri_pb2.PodSandboxFilter(id=pod.id)),
            lambda part: [each.id for each in part.pod_sandboxes],
            pod.id,
        ),
        _Stream(
            runtime.StreamContainers,
            cri_pb2.StreamContainersRequest(filter=cri_pb2.ContainerFilter(id=container.id)),
            lambda part: [each.id for each in part.containers],
            container.id,
        ),
        _Stream(
            runtime.StreamPodSandboxStats,
            cri_pb2.StreamPodSandboxStatsRequest(filter=cri_pb2.PodSandboxStatsFilter(id=pod.id)),
            lambda part: [each.attributes.id for each in part.pod_sandbox_stats],
            pod.id,
        ),
        _Stream(
            runtime.StreamContainerStats,
            cri_pb2.StreamContainerStatsRequest(filter=cri_pb2.ContainerStatsFilter(id=container.id)),
            lambda part: [each.attributes.id for each in part.container_stats],
            container.id,
        ),
    )
    for stream in streams:
        name = type(stream.request).__name__.removesuffix("Request")
        expect_equal(stream.read(), [stream.wanted], f"{name} by id")
        stream.request.ClearField("filter")
        everything = stream.read()
        expect(stream.wanted in everything, f"{name} does not hold {stream.wanted[:13]}")
        entries += len(everything)
    return f"four streams by id, and {entries} entries without a filter"


@dataclass(frozen=True)
class _Stream:
    call: Callable[..., Any]
    request: Any
    ids: Callable[[Any], list[str]]
    """Of one message."""
    wanted: str

    def read(self) -> list[str]:
        """The ids of every message."""
        return [
            each for part in all_answers(self.call, self.request, since="1.36") for each in self.ids(part)
        ]
