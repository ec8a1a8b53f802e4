"""Limits on huge pages."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect_equal
from installer.verify.containers import resources
from installer.verify.context import Context
from pycri._generated import cri_pb2

_LIMIT = 4 << 20
_SCRIPT = """
cd /sys/fs/cgroup
cat hugetlb.2MB.max 2>/dev/null || cat hugetlb/hugetlb.2MB.limit_in_bytes 2>/dev/null || true
"""


@check(
    "container.hugepages",
    tier=2,
    title="Limits huge pages",
    proves="LinuxContainerResources.hugepage_limits: page_size, limit, in the hugetlb cgroup",
    fix="is the hugetlb controller delegated to the container's cgroup?",
)
def container_hugepages(ctx: Context) -> str:
    if not ctx.container.output("sh", "-c", _SCRIPT).strip():
        raise NotApplicable("the kernel has no hugetlb cgroup with pages of 2 MiB")
    limits = [cri_pb2.HugepageLimit(page_size="2MB", limit=_LIMIT)]
    with ctx.container.pod.running(name="hugepages", linux=resources(hugepage_limits=limits)) as container:
        expect_equal(container.output("sh", "-c", _SCRIPT).strip(), str(_LIMIT), "the limit")
    return f"{_LIMIT >> 20} MiB of 2 MiB pages"
