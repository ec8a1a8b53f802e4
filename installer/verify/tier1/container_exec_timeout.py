"""ExecSync: the timeout ends the command."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.waiting import wait_for

_ARGUMENT = "86413"
"""Of a sleep that nobody else would start."""


@check(
    "container.exec-timeout",
    tier=1,
    title="Ends a command that runs too long",
    proves="ExecSyncRequest.timeout: DEADLINE_EXCEEDED, and the process is gone",
    fix="a probe that times out must not leave its process in the container",
)
def container_exec_timeout(ctx: Context) -> str:
    container = ctx.container
    try:
        done = container.exec("sleep", _ARGUMENT, timeout=1)
    except CriError as error:
        # The kubelet takes UNKNOWN too, from runtimes that never learnt the code; the text must say it then.
        told = error.code == "DEADLINE_EXCEEDED" or "timeout" in error.details or "timed out" in error.details
        expect(told, f"a command past its timeout ends with {error}")
    else:
        raise Failed(f"a command past its timeout is answered with exit code {done.exit_code}")

    def gone() -> bool:
        listing = container.output("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\000' ' '")
        return f"sleep {_ARGUMENT}" not in listing

    wait_for(gone, "the end of the command that timed out", timeout=15)
    return "ended after 1 s, and the process is gone"
