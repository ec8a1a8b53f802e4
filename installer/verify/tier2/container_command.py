"""What a container runs when the pod says nothing, or half."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.command",
    tier=2,
    title="Runs command and args as Kubernetes defines them, anywhere",
    proves=(
        "ContainerConfig: command, args, working_dir (made when missing); the image's own where "
        "both are empty"
    ),
    fix="command replaces the image's entrypoint and its arguments; args only its arguments",
)
def container_command(ctx: Context) -> str:
    pod = ctx.container.pod
    with pod.running([], name="image-command") as container:
        expect_equal(container.wait_exited(15).exit_code, 0, "the exit code of the image's own command")
    with pod.running([], name="args-alone", args=["sh", "-c", "exit 23"]) as container:
        expect_equal(container.wait_exited(15).exit_code, 23, "the exit code of args alone")
    script = 'test "$1" = "a b" && test "$PWD" = /made/for/it && exit 24'
    with pod.running(
        ["sh", "-c"], name="command-args", args=[script, "name", "a b"], working_dir="/made/for/it"
    ) as container:
        expect_equal(container.wait_exited(15).exit_code, 24, "the exit code of command and args")
    container = pod.create(["/no/such/program"], name="no-program")
    try:
        container.start()
        reason = container.wait_exited(10).reason
    except Exception as error:  # noqa: BLE001 - runtimes refuse the start, or report the end
        reason = str(error)
    status = container.status
    container.remove()
    expect_equal(status.state, cri_pb2.CONTAINER_EXITED, "the state of a program that is not there")
    expect(status.exit_code != 0, "its exit code is 0")
    return (
        f"image's, args, both, and in a new directory; a missing program: {reason[-60:]}, {status.exit_code}"
    )
