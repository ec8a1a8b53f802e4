"""ImageFsInfo, without which the kubelet does not start."""

from __future__ import annotations

import shlex

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "image.fs-info",
    tier=1,
    title="Tells where images are stored",
    proves="ImageService.ImageFsInfo: FilesystemUsage.fs_id.mountpoint, timestamp, used_bytes",
    fix="the kubelet measures the disk at this path: it must exist on the node",
)
def image_fs_info(ctx: Context) -> str:
    found = ctx.images.ImageFsInfo(cri_pb2.ImageFsInfoRequest()).image_filesystems
    expect(found, "no image_filesystems")
    first = found[0]
    mountpoint = first.fs_id.mountpoint
    expect(mountpoint.startswith("/"), f"fs_id.mountpoint is {mountpoint!r}")
    expect(first.timestamp > 0, "timestamp is not set")
    expect(first.HasField("used_bytes"), "used_bytes is not set")
    try:
        found_there = ctx.host.run(f"test -d {shlex.quote(mountpoint)}", check=False).code == 0
    except NotApplicable:
        return f"{mountpoint}, {first.used_bytes.value} bytes used"
    expect(found_there, f"{mountpoint} is no directory on the host")
    return f"{mountpoint} exists, {first.used_bytes.value} bytes used"
