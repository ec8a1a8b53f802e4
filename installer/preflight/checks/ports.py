"""Are the ports a node needs free, or held by the very program that shall have them?"""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error

_WORKER = {10250: "kubelet"}
_CONTROL_PLANE = {
    6443: "kube-apiserver",
    2379: "etcd",
    2380: "etcd",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}


def check(subject: Subject) -> Iterator[Finding]:
    needed = _WORKER | (_CONTROL_PLANE if subject.host.is_control_plane else {})
    for port, owner in sorted(needed.items()):
        holder = subject.facts.listening.get(port)
        if holder is not None and holder != owner[:15]:  # the kernel cuts a process's name at 15 letters
            yield error(
                f"TCP port {port} is in use by {holder}; {owner} needs it",
                f"stop it, or move it to another port (`ss -tlnp 'sport = {port}'` on the host shows it)",
            )
