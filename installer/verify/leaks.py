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
_LINK = re.compile(r"(\d+): ([^:@]+)[:@]")


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
    # `ip` asks the kernel; /sys may be another network namespace's, as it is in a container with systemd.
    # One that goes away meanwhile is left out.
    script = (
        "if command -v ip >/dev/null; then ip -o link; else for d in /sys/class/net/*; do\n"
        'index=$(cat "$d/ifindex" 2>/dev/null) && echo "$index: ${d##*/}:"; done; true; fi'
    )
    found = (_LINK.match(line) for line in host.run(script).text.splitlines())
    return {(match[1], match[2]) for match in found if match}


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
# arguments; a process of the container has it in its cgroup's path. -s: processes end while we look.
_SEARCH = """
ids=$(mktemp) && trap 'rm -f "$ids"' EXIT && cat > "$ids"
grep -F -f "$ids" /proc/self/mountinfo | awk '{print "mount " $5}'
find /sys/fs/cgroup -type d 2>/dev/null | grep -F -f "$ids" | sed 's/^/cgroup /'
grep -a -l -s -F -f "$ids" /proc/[0-9]*/cmdline /proc/[0-9]*/cgroup |
    sed 's|^/proc/\\([0-9]*\\)/|process \\1 by its |'
true
"""


def _mounted(mountinfo: str, netns: str) -> list[str]:
    """Where a network namespace is mounted (proc(5): the fourth field is the root, the fifth the point)."""
    fields = (line.split() for line in mountinfo.splitlines())
    return [each[4] for each in fields if len(each) > 4 and each[3] == netns]
