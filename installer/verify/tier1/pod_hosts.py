"""/etc/hosts of a pod."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.context import Context


@check(
    "pod.hosts",
    tier=1,
    title="Containers have an /etc/hosts with localhost",
    proves="/etc/hosts is mounted into each container of the pod when the request mounts none",
    fix="is /etc/hosts on the node sound? The pod's is made from it",
)
def pod_hosts(ctx: Context) -> str:
    text = ctx.container.output("cat", "/etc/hosts")
    names = {name for line in text.splitlines() for name in line.partition("#")[0].split()[1:]}
    expect("localhost" in names, f"/etc/hosts does not name localhost: {text!r}")
    mounts = ctx.container.output("cat", "/proc/self/mountinfo")
    mounted = any(line.split()[4] == "/etc/hosts" for line in mounts.splitlines())
    expect(mounted, "/etc/hosts is the image's own file, not a mount")
    return f"mounted, {len(text.splitlines())} lines"
