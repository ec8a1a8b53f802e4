"""UpdateContainerResources: every limit that may be changed in place."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.cgroup_limits import read_limits
from installer.verify.check import check, expect, expect_equal
from installer.verify.containers import resources
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.update",
    tier=2,
    title="Changes the limits of a running container, each alone",
    proves=(
        "UpdateContainerResourcesRequest.linux: cpu_quota, cpu_period, cpu_shares, cpuset_cpus; "
        "the rest stays"
    ),
    fix="in-place resize and the CPU manager depend on it: see the daemon's log",
)
def container_update(ctx: Context) -> str:
    linux = resources(memory_limit_in_bytes=64 << 20, cpu_period=100_000, cpu_quota=50_000, cpu_shares=256)
    with ctx.container.pod.running(name="update", linux=linux) as container:

        def update(**fields: object) -> None:
            limits = cri_pb2.LinuxContainerResources(**fields)  # type: ignore[arg-type]
            ctx.runtime.UpdateContainerResources(
                cri_pb2.UpdateContainerResourcesRequest(container_id=container.id, linux=limits)
            )

        first = process_status.of_main(container).lines["Cpus_allowed_list"].split(",")[0].split("-")[0]
        update(cpu_period=50_000, cpu_quota=20_000)
        found = read_limits(container)
        expect_equal((found.quota, found.period), (20_000, 50_000), "quota and period after their update")
        expect_equal(found.memory, 64 << 20, "the memory limit after an update of the CPU")
        before = _shares(container.output("sh", "-c", _SHARES))
        update(cpu_shares=1024)
        after = _shares(container.output("sh", "-c", _SHARES))
        expect(after > before, f"shares (v1) or weight (v2) are {before} and after an update to more {after}")
        update(cpuset_cpus=first)
        allowed = process_status.of_main(container).lines["Cpus_allowed_list"]
        expect_equal(allowed, first, "Cpus_allowed_list after an update")
        told = container.status
        if told.HasField("resources"):
            now = told.resources.linux
            found_now = (now.cpu_quota, now.cpu_period, now.cpu_shares, now.memory_limit_in_bytes)
            expect_equal(found_now, (20_000, 50_000, 1024, 64 << 20), "ContainerStatus.resources")
    return f"quota, period, shares ({before} to {after}) and cpuset, one after the other"


_SHARES = "cd /sys/fs/cgroup; cat cpu.weight 2>/dev/null || cat cpu/cpu.shares"


def _shares(text: str) -> int:
    return int(text.split()[0])
