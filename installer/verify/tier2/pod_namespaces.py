"""What containers of one pod share."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context

_SCRIPT = "for kind in net ipc uts pid mnt; do readlink /proc/self/ns/$kind; done"


@check(
    "pod.namespaces",
    tier=2,
    title="Containers share the pod's network, IPC and host name, and have their own processes",
    proves="NamespaceOption: network and ipc POD, pid CONTAINER",
    fix="the container's OCI namespaces must be the sandbox's: crictl inspect ID, linux.namespaces",
)
def pod_namespaces(ctx: Context) -> str:
    first = ctx.container.output("sh", "-c", _SCRIPT).split()
    with ctx.container.pod.running(name="namespaces") as other:
        second = other.output("sh", "-c", _SCRIPT).split()
    for kind, one, two in zip(("net", "ipc", "uts"), first, second, strict=False):
        expect_equal(two, one, f"the {kind} namespace of a second container")
    for one, two in zip(first[3:], second[3:], strict=True):
        expect(one != two, f"both containers have {one}")
    return f"shared: {', '.join(first[:3])}; apart: pid, mnt"
