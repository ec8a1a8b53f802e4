"""Where a pod's containers are in the cgroup tree."""

from __future__ import annotations

import shlex

from installer.verify.check import check, expect
from installer.verify.context import Context


@check(
    "pod.cgroup-parent",
    tier=2,
    title="Containers are in the pod's cgroup",
    proves="LinuxPodSandboxConfig.cgroup_parent: container and sandbox are below it, named by their ids",
    fix="is the daemon's cgroup driver the kubelet's? Otherwise pod limits do not hold",
)
def pod_cgroup_parent(ctx: Context) -> str:
    container, host = ctx.container, ctx.host
    parent = container.pod.config.linux.cgroup_parent.strip("/")
    expect(parent, "the run has no cgroup parent")
    # v1 has one tree per controller: memory's stands for all
    for kind, each in (("container", container.id), ("sandbox", container.pod.id)):
        script = f"find /sys/fs/cgroup -type d -name {shlex.quote(f'*{each}*')} 2>/dev/null"
        found = host.run(script).text.splitlines()
        expect(found, f"no cgroup is named after the {kind} {each[:13]}")
        elsewhere = [path for path in found if f"/{parent}/" not in f"{path}/"]
        expect(not elsewhere, f"the {kind}'s cgroup {' '.join(elsewhere[:1])} is not below {parent}")
    return f"both below {parent}"
