"""An ephemeral container in another container's PID namespace."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "pod.pid-target",
    tier=2,
    title="A container joins another one's PID namespace",
    proves="NamespaceOption.pid = TARGET and target_id (kubectl debug --target)",
    fix="the target must be running in the same pod; the daemon's log has the container's spec",
)
def pod_pid_target(ctx: Context) -> str:
    target = ctx.container
    options = cri_pb2.NamespaceOption(pid=cri_pb2.TARGET, target_id=target.id)
    security = cri_pb2.LinuxContainerSecurityContext(namespace_options=options)
    linux = cri_pb2.LinuxContainerConfig(security_context=security)
    with target.pod.running(["sleep", "86415"], name="target", linux=linux) as debugger:
        space = debugger.output("readlink", "/proc/self/ns/pid").strip()
        expect_equal(space, target.output("readlink", "/proc/self/ns/pid").strip(), "the PID namespace")
        seen = debugger.output("sh", "-c", "tr '\\000' ' ' < /proc/1/cmdline")
        expect("86415" not in seen, f"pid 1 is {seen!r}, not the target's process")
    return f"{space} is the target's"
