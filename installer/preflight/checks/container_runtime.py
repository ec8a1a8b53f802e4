"""Is there a container runtime already that the node's own would fight with?"""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error, warning

_FOREIGN = {"dockerd": "Docker", "crio": "CRI-O", "cri-dockerd": "cri-dockerd"}


def check(subject: Subject) -> Iterator[Finding]:
    facts = subject.facts
    for name, title in _FOREIGN.items():
        if name in facts.runtimes:
            yield warning(
                f"{title} is installed ({facts.runtimes[name]}); both may claim containers and iptables",
                f"remove {title}, unless you know that they get on",
            )
    if facts.managed:
        return  # what follows is ours
    if "kubelet" in facts.runtimes:
        yield warning(
            f"a kubelet is installed already ({facts.runtimes['kubelet']})",
            "if the host belongs to a cluster, drain and remove it there first",
        )
    if any("containerd" in path for path in facts.runtime_sockets):
        finding = error if "dockerd" in facts.runtimes else warning
        yield finding(
            "a containerd that nodestrap did not install is running; its configuration will be replaced",
            "move its workloads away first; keep a copy of /etc/containerd/config.toml",
        )
