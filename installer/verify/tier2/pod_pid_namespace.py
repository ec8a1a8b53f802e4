"""One PID namespace for the pod's containers."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "pod.pid-namespace",
    tier=2,
    title="Containers share the pod's PID namespace when asked to",
    proves=(
        "NamespaceOption.pid = POD (shareProcessNamespace): one namespace, whose first process is "
        "the pod's own"
    ),
    fix="the container must join the sandbox's PID namespace, not get one of its own",
)
def pod_pid_namespace(ctx: Context) -> str:
    options = cri_pb2.NamespaceOption(pid=cri_pb2.POD)
    linux = cri_pb2.LinuxPodSandboxConfig(
        security_context=cri_pb2.LinuxSandboxSecurityContext(namespace_options=options)
    )
    with ctx.pod("pids", linux=linux) as pod:
        first, second = pod.start(name="first"), pod.start(["sleep", "86414"], name="second")
        spaces = [each.output("readlink", "/proc/self/ns/pid").strip() for each in (first, second)]
        expect_equal(spaces[1], spaces[0], "the second container's PID namespace")
        seen = first.output("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\000' ' '")
        expect("sleep 86414" in seen, f"the first container does not see the second's process: {seen!r}")
        main = first.output("sh", "-c", "tr '\\000' ' ' < /proc/1/cmdline").strip()
        expect("trap" not in main and "86414" not in main, f"pid 1 is a container's: {main!r}")
    return f"{spaces[0]} for both; pid 1 is {main.split(' ')[0]}"
