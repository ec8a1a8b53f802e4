"""Log rotation, as the kubelet does it."""

from __future__ import annotations

import shlex

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.cri_log import parse, whole_lines
from installer.verify.waiting import wait_for
from pycri._generated import cri_pb2

_COUNT = "i=0; while :; do i=$((i+1)); echo $i; usleep 2000 2>/dev/null || sleep 0.01; done"


@check(
    "log.reopen",
    tier=1,
    title="Reopens the log after rotation, losing no line",
    proves="ReopenContainerLog after a rename: a new file at log_path, every line in one of the two",
    fix="without it logs are lost, or the disk fills, when the kubelet rotates",
)
def log_reopen(ctx: Context) -> str:
    host = ctx.host
    container = ctx.container.pod.start(["sh", "-c", _COUNT], name="log-reopen")
    path = container.log_path
    old = f"{path}.rotated"

    def lines_in(name: str) -> int:
        return (host.read(name) or b"").count(b"\n")

    wait_for(lambda: lines_in(path) > 5, f"lines in {path}", timeout=15)
    host.run(f"mv {shlex.quote(path)} {shlex.quote(old)}")
    ctx.runtime.ReopenContainerLog(cri_pb2.ReopenContainerLogRequest(container_id=container.id))
    wait_for(lambda: lines_in(path) > 5, f"lines in the new {path}", timeout=15)
    container.stop(timeout=0)
    before, after = (whole_lines(parse(host.read(name) or b""))["stdout"] for name in (old, path))
    container.remove()
    numbers = [int(line) for line in (*before, *after)]
    expect(numbers, "no lines at all")
    expect_equal(numbers, list(range(1, len(numbers) + 1)), "the lines of both files")
    return f"{len(before)} lines before, {len(after)} after, none lost"
