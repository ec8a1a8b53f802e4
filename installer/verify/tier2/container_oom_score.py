"""Which container the kernel kills first when memory is short."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.containers import resources
from installer.verify.context import Context

_GUARANTEED = -997


@check(
    "container.oom-score",
    tier=2,
    title="Sets the OOM score, as low as the daemon may",
    proves=(
        "LinuxContainerResources.oom_score_adj, also below zero (clamped where CAP_SYS_RESOURCE is missing)"
    ),
    fix="runc's \"final child's PID\" error means that the score may not be set: it must be clamped instead",
)
def container_oom_score(ctx: Context) -> str:
    found = []
    for name, wanted in (("oom-high", 555), ("oom-low", _GUARANTEED)):
        with ctx.container.pod.running(name=name, linux=resources(oom_score_adj=wanted)) as container:
            found.append(int(container.output("cat", "/proc/1/oom_score_adj")))
    high, low = found
    expect_equal(high, 555, "oom_score_adj")
    expect(_GUARANTEED <= low <= 0, f"oom_score_adj is {low}, asked for {_GUARANTEED}")
    return f"555; for {_GUARANTEED} it is {low}{'' if low == _GUARANTEED else ', the lowest allowed here'}"
