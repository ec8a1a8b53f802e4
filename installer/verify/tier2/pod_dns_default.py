"""resolv.conf of a pod that has no DNS configuration."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context


@check(
    "pod.dns-default",
    tier=2,
    title="Without a DNS configuration a pod has the host's",
    proves="PodSandboxConfig.dns_config left out: the host's resolv.conf",
    fix="compare /etc/resolv.conf of the pod and of the host",
)
def pod_dns_default(ctx: Context) -> str:
    wanted = (ctx.host.read("/etc/resolv.conf") or b"").decode(errors="replace")
    with ctx.host_pod.running(name="dns") as container:
        found = container.output("cat", "/etc/resolv.conf")
    expect_equal(found.split(), wanted.split(), "/etc/resolv.conf")
    return f"{len(wanted.splitlines())} lines, the host's"
