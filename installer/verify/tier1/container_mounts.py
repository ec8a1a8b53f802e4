"""Host directories in the container."""

from __future__ import annotations

import shlex

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.shared_pod import MARKER, READ_ONLY, WRITABLE


@check(
    "container.mounts",
    tier=1,
    title="Mounts host directories, writable and read-only",
    proves="Mount.container_path, host_path, readonly; ContainerStatus.mounts",
    fix="see the container's OCI mounts: crictl inspect ID",
)
def container_mounts(ctx: Context) -> str:
    host, container = ctx.host, ctx.container
    for path in (WRITABLE, READ_ONLY):
        expect_equal(container.output("cat", f"{path}/{MARKER}"), MARKER, f"{path}/{MARKER}")
    container.output("sh", "-c", f"echo back > {WRITABLE}/back")
    back = host.run(f"cat {shlex.quote(ctx.session.host_directory('writable'))}/back").text
    expect_equal(back, "back\n", "the file written in the container, on the host")
    refused = container.exec("sh", "-c", f"echo x > {READ_ONLY}/x")
    expect(refused.exit_code != 0, "a read-only mount was written to")
    expect(b"ead-only" in refused.stderr, f"writing there failed otherwise: {refused.stderr!r}")
    told = {mount.container_path: mount.readonly for mount in container.status.mounts}
    for path, readonly in ((WRITABLE, False), (READ_ONLY, True)):
        expect_equal(told.get(path), readonly, f"ContainerStatus.mounts: readonly of {path}")
    return "read, written and refused as asked; the status tells both"
