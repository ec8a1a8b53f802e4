"""A container that needs more memory than it may."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.containers import resources
from installer.verify.context import Context

_GREEDY = ("dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1")


@check(
    "container.oom-killed",
    tier=2,
    title="Says OOMKilled of a container that was killed for memory",
    proves="ContainerStatus: reason OOMKilled, exit_code 137",
    fix=(
        "kubectl describe shows this reason: it comes from the cgroup's oom_kill count and containerd's event"
    ),
)
def container_oom_killed(ctx: Context) -> str:
    limit = 32 << 20
    linux = resources(memory_limit_in_bytes=limit, memory_swap_limit_in_bytes=limit)
    with ctx.container.pod.running(_GREEDY, name="oom", linux=linux) as container:
        status = container.wait_exited()
    expect_equal(status.reason, "OOMKilled", "reason")
    expect_equal(status.exit_code, 137, "exit_code")
    return f"{limit >> 20} MiB exceeded: OOMKilled, 137"
