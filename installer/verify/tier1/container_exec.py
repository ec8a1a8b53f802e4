"""ExecSync: output, error output, exit code."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context


@check(
    "container.exec",
    tier=1,
    title="Executes a command and returns its output",
    proves="ExecSync: stdout, stderr, exit_code; a failed command is an answer, not an error",
    fix="exec probes depend on this; see the daemon's log",
)
def container_exec(ctx: Context) -> str:
    done = ctx.container.exec("sh", "-c", "printf 'out\\n\\377'; printf err >&2; exit 3")
    expect_equal(done.stdout, b"out\n\xff", "stdout")
    expect_equal(done.stderr, b"err", "stderr")
    expect_equal(done.exit_code, 3, "exit_code")
    large = ctx.container.exec("sh", "-c", "head -c 1000000 /dev/zero")
    expect_equal(len(large.stdout), 1_000_000, "the length of a million bytes of output")
    return "stdout, stderr and exit code 3 as written; 1,000,000 bytes whole"
