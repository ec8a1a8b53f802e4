"""The signal that asks a container to end."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context
from installer.verify.gaps import EVERY, containerd_gap
from pycri._generated import cri_pb2

_SCRIPT = "trap 'exit 42' USR1; trap 'exit 1' TERM; while :; do sleep 3600 & wait $!; done"


@check(
    "container.stop-signal",
    tier=2,
    title="Stops a container with the pod's own signal",
    proves="ContainerConfig.stop_signal (lifecycle.stopSignal), and ContainerStatus.stop_signal",
    fix="StopContainer must send it instead of the image's StopSignal and SIGTERM",
)
def container_stop_signal(ctx: Context) -> str:
    containerd_gap(ctx, "takes no notice of stop_signal", before=EVERY)
    command = ["sh", "-c", _SCRIPT]
    with ctx.container.pod.running(command, name="signal", stop_signal=cri_pb2.SIGUSR1) as container:
        expect_equal(container.status.stop_signal, cri_pb2.SIGUSR1, "ContainerStatus.stop_signal")
        container.output(
            "sh", "-c", "until grep -q '^SigCgt.*[2-9a-f]..$' /proc/1/status; do usleep 10000; done"
        )
        container.stop(timeout=15)
        expect_equal(container.wait_exited().exit_code, 42, "the exit code of a handler of SIGUSR1")
    return "SIGUSR1 was sent, and is in the status"
