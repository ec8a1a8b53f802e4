"""StopContainer: politely, then not; and twice."""

from __future__ import annotations

import time

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context

_STUBBORN = ("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")


@check(
    "container.stop",
    tier=1,
    title="Stops a container with grace, and kills one that will not",
    proves="StopContainerRequest.timeout: stop signal, then SIGKILL; StopContainer, RemoveContainer twice",
    fix="a pod that hangs in Terminating is this",
)
def container_stop(ctx: Context) -> str:
    pod = ctx.container.pod
    polite, stubborn = pod.start(name="polite"), pod.start(_STUBBORN, name="stubborn")
    started = time.monotonic()
    polite.stop(timeout=20)
    graceful = time.monotonic() - started
    expect(graceful < 10, f"a container that ends on SIGTERM took {graceful:.1f} s of 20 s to stop")
    expect_equal(polite.wait_exited().exit_code, 0, "its exit code")
    started = time.monotonic()
    stubborn.stop(timeout=1)
    forced = time.monotonic() - started
    expect(forced >= 0.9, f"a container with 1 s of grace was killed after {forced:.2f} s")
    expect_equal(stubborn.wait_exited().exit_code, 137, "the exit code of one that was killed")
    for container in (polite, stubborn):
        container.stop()
        container.remove()
        container.remove()
    return f"on SIGTERM after {graceful:.2f} s, by SIGKILL after {forced:.2f} s; again: no error"
