"""A root file system that cannot be written."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.containers import security
from installer.verify.context import Context


@check(
    "container.readonly-rootfs",
    tier=2,
    title="Makes the root file system read-only, and nothing else",
    proves="LinuxContainerSecurityContext.readonly_rootfs; /dev and /dev/shm stay writable",
    fix="the container's OCI root.readonly",
)
def container_readonly_rootfs(ctx: Context) -> str:
    with ctx.container.pod.running(name="readonly", linux=security(readonly_rootfs=True)) as container:
        for path in ("/x", "/tmp/x", "/etc/hosts"):
            refused = container.exec("touch", path)
            expect(refused.exit_code != 0, f"{path} is written to")
            expect(b"ead-only" in refused.stderr, f"writing {path} failed otherwise: {refused.stderr!r}")
        container.output("touch", "/dev/shm/x")
        container.output("sh", "-c", "echo > /dev/null")
    return "/, /tmp and /etc/hosts refuse; /dev/shm takes"
