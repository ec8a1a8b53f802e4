"""/dev/shm is the pod's, and large enough."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context

SIZE = 64 * 1024 * 1024
"""What Docker gave, and everybody since."""


@check(
    "pod.shm",
    tier=1,
    title="Containers of a pod share a 64 MiB /dev/shm",
    proves="NamespaceOption.ipc = POD: one /dev/shm for the pod's containers",
    fix="the sandbox's shm mount is missing or is mounted once per container",
)
def pod_shm(ctx: Context) -> str:
    writer = ctx.container
    blocks, size = writer.output("stat", "-f", "-c", "%b %S", "/dev/shm").split()
    expect_equal(int(blocks) * int(size), SIZE, "the size of /dev/shm in bytes")
    reader = writer.pod.start(name="shm-reader")
    try:
        writer.output("sh", "-c", "echo shared > /dev/shm/verify")
        seen = reader.output("cat", "/dev/shm/verify").strip()
    finally:
        reader.stop()
        reader.remove()
    expect(seen == "shared", f"the second container read {seen!r}")
    return "64 MiB; a file written in one container is read in another"
