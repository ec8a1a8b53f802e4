"""The stream of container events."""

from __future__ import annotations

import threading
from typing import Any

from installer.verify.check import check, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.gaps import answered, containerd_gap
from installer.verify.waiting import wait_for
from pycri._generated import cri_pb2

_SECONDS = 30.0


@check(
    "container.events",
    tier=2,
    title="Tells of containers as they are made, start, end and go",
    proves=(
        "GetContainerEvents: CREATED, STARTED, STOPPED, DELETED, with the pod's and the containers' status"
    ),
    fix="the kubelet's evented PLEG depends on it",
)
def container_events(ctx: Context) -> str:
    containerd_gap(ctx, "has no event stream", before=(1, 7))
    pod = ctx.container.pod
    listener = _Listener(ctx)
    # The stream does not say when it has begun: containers are made until one of them is heard of.
    names = (f"events-{number}" for number in range(100))

    def heard() -> bool:
        with pod.running(["true"], name=next(names)) as container:
            container.wait_exited()  # containerd refuses to remove what ends at that moment
        listener.raise_failure()
        return bool(listener.events)

    wait_for(heard, "any event", timeout=15)
    with pod.running(["sh", "-c", "exit 3"], name="events") as container:
        container.wait_exited()
    wanted = ["CREATED", "STARTED", "STOPPED", "DELETED"]

    def complete() -> list[Any]:
        listener.raise_failure()
        mine = [event for event in listener.events if event.container_id == container.id]
        return mine if len(mine) >= len(wanted) else []

    events = wait_for(complete, "the four events of a container", timeout=15)
    names_of = cri_pb2.ContainerEventType.Name
    kinds = [names_of(event.container_event_type).split("_")[1] for event in events]
    expect_equal(kinds, wanted, "the events in their order")
    stopped = events[2]
    expect_equal(stopped.pod_sandbox_status.id, pod.id, "pod_sandbox_status.id")
    codes = {each.id: each.exit_code for each in stopped.containers_statuses}
    expect_equal(codes.get(container.id), 3, "the exit code in containers_statuses")
    return ", ".join(wanted)


class _Listener:
    """Reads the stream in a thread that ends with the stream's deadline, or with the connection."""

    def __init__(self, ctx: Context) -> None:
        self.events: list[Any] = []
        self._failure: Exception | None = None
        self._ctx = ctx
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            request = cri_pb2.GetEventsRequest()
            for event in self._ctx.runtime.GetContainerEvents(request, timeout=_SECONDS):
                self.events.append(event)
        except CriError as error:
            if error.code != "DEADLINE_EXCEEDED":
                self._failure = error
        except Exception as error:  # noqa: BLE001 - told in the check's own thread
            self._failure = error

    def raise_failure(self) -> None:
        """What ended the stream early."""
        if self._failure is not None:
            failure = self._failure

            def fail(_request: object) -> None:
                raise failure

            answered(fail, None, since="1.25")
