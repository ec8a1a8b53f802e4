"""Created, running, exited with its code."""

from __future__ import annotations

from typing import Any

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.lifecycle",
    tier=1,
    title="Creates, starts and ends a container",
    proves="CreateContainer, StartContainer; ContainerStatus: state, times, exit_code, reason, image_id",
    fix="see the daemon's log for the container's id",
    first=True,
)
def container_lifecycle(ctx: Context) -> str:
    pod = ctx.container.pod
    command = ["sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; exit 7"]
    container = pod.create(command, name="lifecycle", annotations={"nodestrap.io/note": "kept"})
    created = container.status
    expect_equal(created.state, cri_pb2.CONTAINER_CREATED, "the state before the start")
    container.start()
    running = container.status
    expect_equal(running.state, cri_pb2.CONTAINER_RUNNING, "the state after the start")
    container.output("touch", "/go")
    ended = container.wait_exited()
    expect_equal(ended.exit_code, 7, "exit_code")
    expect_equal(ended.reason, "Error", "reason")
    _expect_order(created, ended)
    expect_equal(ended.metadata, container.config.metadata, "metadata")
    expect_equal(dict(ended.annotations), {"nodestrap.io/note": "kept"}, "annotations")
    image_id = ended.image_id or ended.image_ref
    expect(image_id, "neither image_id nor image_ref is set")
    container.remove()
    return f"created, running, exited with 7 ({ended.reason})"


def _expect_order(created: Any, ended: Any) -> None:
    times = (created.created_at, ended.started_at, ended.finished_at)
    expect(all(time > 10**18 for time in times), f"created, started, finished at {times}: not nanoseconds")
    expect(list(times) == sorted(times), f"created, started, finished at {times}: out of order")
