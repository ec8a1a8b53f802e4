"""The capabilities that root has here: all of them on a real machine, fewer in a container."""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error, warning

# Numbers from linux/capability.h; what they are needed for.
_NEEDED = {
    0: "CHOWN",
    1: "DAC_OVERRIDE",
    6: "SETGID",
    7: "SETUID",
    8: "SETPCAP",
    12: "NET_ADMIN",
    13: "NET_RAW",
    18: "SYS_CHROOT",
    19: "SYS_PTRACE",
    21: "SYS_ADMIN",
    27: "MKNOD",
}
_LIMITS = {
    16: ("SYS_MODULE", "kernel modules cannot be loaded from it"),
    24: ("SYS_RESOURCE", "negative oom_score_adj values will be clamped, and limits cannot be raised"),
}


def check(subject: Subject) -> Iterator[Finding]:
    present = subject.facts.capabilities
    if present is None or subject.facts.uid != 0:
        return  # reported by the checks "python" and "privileges"
    if missing := [name for bit, name in _NEEDED.items() if not present >> bit & 1]:
        yield error(
            f"root lacks the capabilities {', '.join(missing)}",
            "a node needs a real machine, a VM, or a container started with all capabilities",
        )
    for bit, (name, consequence) in _LIMITS.items():
        if not present >> bit & 1:
            yield warning(
                f"root lacks the capability {name}: {consequence}",
                "use a real machine or a VM for production",
            )
