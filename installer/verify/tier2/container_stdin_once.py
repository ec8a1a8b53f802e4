"""Input that ends with the first client."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context
from installer.verify.streaming.sessions import channels, url_of
from pycri._generated import cri_pb2


@check(
    "container.stdin-once",
    tier=2,
    title="Ends a container's input with the first attached client's",
    proves="ContainerConfig.stdin_once: end of file reaches the process; without stdin it is there at once",
    fix="kubectl run -i < FILE depends on it",
)
def container_stdin_once(ctx: Context) -> str:
    pod = ctx.container.pod
    with pod.running(["cat"], name="stdin-none") as container:
        expect_equal(container.wait_exited(10).exit_code, 0, "the exit code of `cat` without stdin")
    with pod.running(["cat"], name="stdin-once", stdin=True, stdin_once=True) as container:
        request = cri_pb2.AttachRequest(container_id=container.id, stdin=True, stdout=True, stderr=True)
        url = url_of(ctx.runtime.Attach, request)
        with channels(ctx.session.host, url, ("stdin", "stdout", "stderr")) as session:
            session.write(b"once\n", end=True)
            session.expect("stdout", b"once\n")
            expect_equal(container.wait_exited(10).exit_code, 0, "the exit code of `cat` after the end")
    return "without stdin it ends at once; with stdin_once when the client says so"
