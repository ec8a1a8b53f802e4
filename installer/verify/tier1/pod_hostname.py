"""The pod's hostname."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context
from installer.verify.shared_pod import HOSTNAME


@check(
    "pod.hostname",
    tier=1,
    title="Containers see the pod's hostname",
    proves="PodSandboxConfig.hostname: uname, /etc/hostname and HOSTNAME",
    fix="the sandbox's UTS namespace, its hostname file and the container's environment must agree",
)
def pod_hostname(ctx: Context) -> str:
    said = ctx.container.output("sh", "-c", 'hostname; cat /etc/hostname; echo "$HOSTNAME"').split()
    expect_equal(said, [HOSTNAME] * 3, "hostname, /etc/hostname and $HOSTNAME")
    return f"{HOSTNAME}, three times"
