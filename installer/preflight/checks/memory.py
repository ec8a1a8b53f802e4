"""kubeadm's own floors: 1700 MB and two CPUs for a control plane; a worker lives with less."""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error, warning

_MIB = 1 << 20
_LEAST = 400 * _MIB  # containerd, pycri and a kubelet, and nothing else
_CONTROL_PLANE = 1700 * _MIB


def check(subject: Subject) -> Iterator[Finding]:
    memory, cpus = subject.facts.memory_bytes, subject.facts.cpus
    if memory is not None and memory < _LEAST:
        yield error(f"it has {memory // _MIB} MiB of memory", f"give it at least {_LEAST // _MIB} MiB")
    elif memory is not None and memory < _CONTROL_PLANE and subject.host.is_control_plane:
        yield warning(
            f"it has {memory // _MIB} MiB of memory; kubeadm wants 1700 MB for a control plane",
            "give it more memory",
        )
    if cpus is not None and cpus < 2 and subject.host.is_control_plane:
        yield warning("it has one CPU; kubeadm wants two for a control plane", "give it another CPU")
