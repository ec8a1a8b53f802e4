"""Pinning to CPUs and memory nodes."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import check, expect_equal
from installer.verify.containers import resources
from installer.verify.context import Context


@check(
    "container.cpuset",
    tier=2,
    title="Pins a container to CPUs and memory nodes",
    proves="LinuxContainerResources: cpuset_cpus, cpuset_mems",
    fix="the static CPU manager depends on it: is the cpuset controller delegated?",
)
def container_cpuset(ctx: Context) -> str:
    first = process_status.of_main(ctx.container).lines["Cpus_allowed_list"].split(",")[0].split("-")[0]
    with ctx.container.pod.running(
        name="cpuset", linux=resources(cpuset_cpus=first, cpuset_mems="0")
    ) as container:
        lines = process_status.of_main(container).lines
    expect_equal(lines["Cpus_allowed_list"], first, "Cpus_allowed_list")
    expect_equal(lines["Mems_allowed_list"], "0", "Mems_allowed_list")
    return f"CPU {first}, memory node 0"
