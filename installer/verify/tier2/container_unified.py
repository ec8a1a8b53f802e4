"""cgroup v2 settings by their own names."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect_equal
from installer.verify.containers import resources
from installer.verify.context import Context

_WANTED = {"memory.high": str(48 << 20), "pids.max": "64"}


@check(
    "container.unified",
    tier=2,
    title="Sets cgroup v2 files by name",
    proves="LinuxContainerResources.unified (memory QoS, pids limit)",
    fix="the container's OCI linux.resources.unified; memory QoS of the kubelet depends on it",
)
def container_unified(ctx: Context) -> str:
    if ctx.container.exec("test", "-e", "/sys/fs/cgroup/cgroup.controllers").exit_code != 0:
        raise NotApplicable("the host has cgroup v1, which has no unified settings")
    with ctx.container.pod.running(name="unified", linux=resources(unified=_WANTED)) as container:
        for name, value in _WANTED.items():
            expect_equal(container.output("cat", f"/sys/fs/cgroup/{name}").strip(), value, name)
    return ", ".join(f"{name} {value}" for name, value in _WANTED.items())
