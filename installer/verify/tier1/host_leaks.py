"""Nothing is left on the host of the pods that this run made."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect
from installer.verify.context import Context
from installer.verify.leaks import host_links, leaked, trace
from installer.verify.waiting import wait_for
from pycri._generated import cri_pb2


@check(
    "host.leaks",
    tier=1,
    title="Leaves no namespace, interface, mount, cgroup or process behind",
    proves="RemovePodSandbox reclaims everything; searched on the host for each pod and container of the run",
    fix="the daemon's log has the removal of the id named; `ip netns`, `findmnt` and `pgrep -f ID` show it",
    after=True,
)
def host_leaks(ctx: Context) -> str:
    host = ctx.host
    before = host_links(host)
    mapping = cri_pb2.PortMapping(container_port=80, host_port=0)
    with ctx.pod("leaks", port_mappings=[mapping]) as pod:
        traces = trace(host, pod.start(), before)
    expect(traces.netns.startswith("net:["), f"the pod's network namespace is {traces.netns!r}")
    ids = ctx.session.made_ids
    last: list[str] = []

    def clean() -> bool:
        last[:] = leaked(host, ids, traces)
        return not last

    try:
        wait_for(clean, "the end of what pods left", timeout=15, interval=0.1)
    except Failed:
        raise Failed(f"left on the host: {'; '.join(last[:5])}{' …' if len(last) > 5 else ''}") from None
    links = ", ".join(name for _, name in traces.links) or "no veth found"
    return f"{len(ids)} pods and containers gone without a trace; the last one's {traces.netns}, {links}"
