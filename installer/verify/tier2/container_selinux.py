"""SELinux labels, where SELinux is enabled."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect_equal
from installer.verify.containers import security
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.selinux",
    tier=2,
    title="Labels processes for SELinux",
    proves="LinuxContainerSecurityContext.selinux_options: user, role, type, level",
    fix="is SELinux support switched on in the daemon, and are container-selinux's types installed?",
)
def container_selinux(ctx: Context) -> str:
    if ctx.host.read("/sys/fs/selinux/enforce") is None:
        raise NotApplicable("SELinux is not enabled on this host")
    wanted = cri_pb2.SELinuxOption(user="system_u", role="system_r", type="container_t", level="s0:c4,c5")
    with ctx.container.pod.running(name="selinux", linux=security(selinux_options=wanted)) as container:
        found = container.output("cat", "/proc/1/attr/current").strip("\0\n ")
    expect_equal(found, "system_u:system_r:container_t:s0:c4,c5", "the label")
    return found
