"""The host's namespaces."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context

_KINDS = ("net", "pid", "ipc", "uts")


@check(
    "pod.host-namespaces",
    tier=2,
    title="A pod gets the host's network, processes, IPC and host name",
    proves="NamespaceOption: network, pid and ipc NODE; the host name is the host's",
    fix="static pods and CNI daemons depend on it: crictl inspectp ID, linux.namespaces",
)
def pod_host_namespaces(ctx: Context) -> str:
    links = " ".join(f"/proc/self/ns/{kind}" for kind in _KINDS)
    script = f"for f in {links}; do readlink $f; done; uname -n"
    wanted = ctx.host.run(script).text.split()
    with ctx.host_pod.running(name="host-namespaces") as container:
        found = container.output("sh", "-c", script).split()
        same_shm = container.output("sh", "-c", "ls -di /dev/shm").split()[0]
    for kind, one, other in zip((*_KINDS, "host name"), found, wanted, strict=True):
        expect_equal(one, other, f"the container's {kind}")
    expect(same_shm, "there is no /dev/shm")
    return f"{', '.join(found[:3])} and {found[-1]} are the host's"
