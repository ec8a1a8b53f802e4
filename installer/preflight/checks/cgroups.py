"""Which cgroups are there, and do they have the controllers that a kubelet uses?"""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error, warning

_NEEDED = {
    1: {"cpu", "cpuacct", "cpuset", "devices", "memory", "pids"},
    2: {"cpu", "cpuset", "memory", "pids"},
}
_OPTIONAL = {1: {"blkio", "freezer", "hugetlb"}, 2: {"hugetlb", "io"}}


def check(subject: Subject) -> Iterator[Finding]:
    version, present = subject.facts.cgroup_version, subject.facts.cgroup_controllers
    if version is None:
        yield error("its cgroups could not be read", "mount /sys/fs/cgroup (systemd does so at boot)")
        return
    if version == 1:
        yield warning(
            "it boots with cgroup v1, which kubelets from 1.35 on refuse unless told otherwise",
            "boot with systemd.unified_cgroup_hierarchy=1 where cgroup v2 is possible",
        )
    if missing := sorted(_NEEDED[version] - present):
        yield error(
            f"the cgroup controllers {', '.join(missing)} are missing",
            "boot without cgroup_disable=, on Debian with cgroup_enable=memory swapaccount=1",
        )
    if missing := sorted(_OPTIONAL[version] - present):
        yield warning(
            f"the cgroup controllers {', '.join(missing)} are missing; limits that need them will not hold",
            "use a kernel that has them",
        )
