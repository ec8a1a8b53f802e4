"""The log file: format, streams, and lines longer than a part."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.cri_log import parse, whole_lines
from installer.verify.waiting import wait_for

_LONG = 40_000
_SCRIPT = f"echo one; echo two >&2; head -c {_LONG} /dev/zero | tr '\\000' x; echo; echo last"


@check(
    "log.format",
    tier=1,
    title="Writes the log in CRI format",
    proves="ContainerConfig.log_path: TIME STREAM TAG LINE; long lines in parts tagged P",
    fix="kubectl logs reads this file: see which line does not parse",
)
def log_format(ctx: Context) -> str:
    host, pod = ctx.host, ctx.container.pod
    container = pod.start(["sh", "-c", _SCRIPT], name="log-format")
    container.wait_exited()

    def complete() -> bytes:
        text = host.read(container.log_path) or b""
        # the two streams are two pipes: either may come last
        return text if b" last\n" in text and b" two\n" in text else b""

    entries = parse(wait_for(complete, f"the last line in {container.log_path}", timeout=15))
    container.remove()
    expect(all(len(entry.text) <= 16 * 1024 for entry in entries), "a part is longer than 16 KiB")
    times = [entry.time for entry in entries if entry.stream == "stdout"]
    expect(times == sorted(times), "times go backwards")
    lines = whole_lines(entries)
    expect_equal(lines["stderr"], [b"two"], "stderr")
    expect_equal([len(line) for line in lines["stdout"]], [3, _LONG, 4], "the lengths of stdout's lines")
    expect_equal(lines["stdout"][1].strip(b"x"), b"", "the long line's other characters")
    return f"{len(entries)} entries; {_LONG} characters in {len(entries) - 3} parts"
