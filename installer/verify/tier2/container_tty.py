"""A container with a terminal."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.cri_log import parse
from installer.verify.waiting import wait_for


@check(
    "container.tty",
    tier=2,
    title="Gives a terminal, with all output on one stream",
    proves=(
        "ContainerConfig.tty and stdin: /dev/pts/0 as stdin, stdout and stderr; TERM is set; the "
        "log has stdout"
    ),
    fix="kubectl run -it depends on it: OCI process.terminal, and the console of the shim",
)
def container_tty(ctx: Context) -> str:
    script = "tty; echo wrong >&2; echo term=$TERM"
    with ctx.container.pod.running(["sh", "-c", script], name="tty", tty=True, stdin=True) as container:
        expect_equal(container.wait_exited().exit_code, 0, "the exit code of `tty`")

        def complete() -> bytes:
            text = ctx.host.read(container.log_path) or b""
            return text if b"term=" in text else b""

        entries = parse(wait_for(complete, f"the last line in {container.log_path}", timeout=10))
    lines = [entry.text.rstrip(b"\r").decode() for entry in entries]
    expect(lines[0].startswith("/dev/"), f"`tty` says {lines[0]!r}")
    expect_equal(lines[1:], ["wrong", "term=xterm"], "the lines after it")
    expect_equal({entry.stream for entry in entries}, {"stdout"}, "the streams in the log")
    return f"{lines[0]}, TERM=xterm, stdout only"
