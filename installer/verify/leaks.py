"""What a pod leaves on its host: mounts, cgroups, processes, its network namespace and its veth.

Everything is searched by the ids of the run's own pods and containers, so that pods of others, which come
and go meanwhile on a live node, are never taken for leaks.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from installer.verify.host import Host, HostError
from installer.verify.pods import Container

_ID = re.compile(r"[A-Za-z0-9_.-]{12,}")


@dataclass(frozen=True)
class PodTraces:
    """How to recognise a pod's network on its host after the pod is gone."""

    netns: str
    """``net:[INODE]``, the namespace's name in /proc."""
    netns_mounts: tuple[str, ...]
    """Where the host has it mounted; empty when the runtime keeps it by other means."""
    links: tuple[tuple[str, str], ...]
    """(index, name) of host interfaces that came with the pod and are the other end of one of its own."""


def host_links(host: Host) -> set[tuple[str, str]]:
    """(index, name) of each of the host's interfaces. Raises HostError."""
    # one that goes away meanwhile is left out
    script = (
        "for d in /sys/class/net/*; do\n"
        'index=$(cat "$d/ifindex" 2>/dev/null) && echo "$index ${d##*/}"; done; true'
    )
    return {(index, name) for index, name in map(str.split, host.run(script).text.splitlines())}


def trace(host: Host, container: Container, before: Collection[tuple[str, str]]) -> PodTraces:
    """The traces of a running container's pod; `before` are the links from before the pod.

    Raises HostError, Failed, CriError.
    """
    netns = container.output("readlink", "/proc/self/ns/net").strip()
    peers = container.output("sh", "-c", "cat /sys/class/net/*/iflink").split()
    mounts = host.run("cat /proc/self/mountinfo").text
    return PodTraces(
        netns=netns,
        netns_mounts=tuple(_mounted(mounts, netns)),
        links=tuple(link for link in host_links(host) if link not in before and link[0] in peers),
    )


def leaked(host: Host, ids: Collection[str], traces: PodTraces) -> list[str]:
    """What is still on the host of removed pods and containers, a phrase each. Raises HostError."""
    for each in ids:
        if not _ID.fullmatch(each):
            raise HostError(f"{each!r} is no id to search the host for")
    found: list[str] = []
    if ids:
        found += host.run(_SEARCH, stdin="\n".join(ids).encode() + b"\n").text.splitlines()
    mounts = host.run("cat /proc/self/mountinfo").text
    still = set(_mounted(mounts, traces.netns)) & set(traces.netns_mounts)
    found += [f"network namespace {path}" for path in sorted(still)]
    found += [f"interface {name}" for index, name in host_links(host) if (index, name) in traces.links]
    return found


# Reads ids from stdin. grep -F -f: one pass over each listing for all ids. A shim has its pod's id among its
# arguments; a process of the container has it in its cgroup's path.
_SEARCH = """
ids=$(mktemp) && trap 'rm -f "$ids"' EXIT && cat > "$ids"
grep -F -f "$ids" /proc/self/mountinfo | awk '{print "mount " $5}'
find /sys/fs/cgroup -type d 2>/dev/null | grep -F -f "$ids" | sed 's/^/cgroup /'
for p in /proc/[0-9]*; do
    tr '\\000' ' ' < "$p/cmdline" 2>/dev/null | grep -q -F -f "$ids" &&
        echo "process ${p#/proc/} by its arguments"
    grep -q -F -f "$ids" "$p/cgroup" 2>/dev/null && echo "process ${p#/proc/} by its cgroup"
done
true
"""


def _mounted(mountinfo: str, netns: str) -> list[str]:
    """Where a network namespace is mounted (proc(5): the fourth field is the root, the fifth the point)."""
    fields = (line.split() for line in mountinfo.splitlines())
    return [each[4] for each in fields if len(each) > 4 and each[3] == netns]
