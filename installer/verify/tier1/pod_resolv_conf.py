"""/etc/resolv.conf of a pod."""

from __future__ import annotations

from installer.verify import shared_pod
from installer.verify.check import check, expect_equal
from installer.verify.context import Context


@check(
    "pod.resolv-conf",
    tier=1,
    title="Containers get the pod's DNS configuration",
    proves="PodSandboxConfig.dns_config: servers, searches, options in /etc/resolv.conf",
    fix="without it no Service name resolves in this pod",
)
def pod_resolv_conf(ctx: Context) -> str:
    text = ctx.container.output("cat", "/etc/resolv.conf")
    found = sorted(" ".join(line.split()) for line in text.splitlines() if line.strip())
    wanted = [
        f"nameserver {shared_pod.DNS_SERVER}",
        f"options {shared_pod.DNS_OPTION}",
        f"search {shared_pod.DNS_SEARCH}",
    ]
    expect_equal(found, wanted, "/etc/resolv.conf, sorted,")
    return "; ".join(wanted)
