"""The sandbox (pause) image is on the node."""

from __future__ import annotations

import json
from collections.abc import Mapping

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context
from pycri._generated import cri_pb2

CARRIED = "localhost/pycri-pause:"
"""pycri's own sandbox image, which needs no registry."""


@check(
    "image.sandbox",
    tier=0,
    title="Sandbox image is present",
    proves="StatusResponse.info (verbose) or Image.pinned, and ImageService.ImageStatus",
    fix="pull it: crictl pull IMAGE; for pycri restart the daemon, it carries the image itself",
)
def image_sandbox(ctx: Context) -> str:
    named = sandbox_image_of(ctx.runtime.Status(cri_pb2.StatusRequest(verbose=True)).info)
    if named is not None:
        spec = cri_pb2.ImageSpec(image=named)
        image = ctx.images.ImageStatus(cri_pb2.ImageStatusRequest(image=spec)).image
        if not image.id and named.startswith(CARRIED):
            return f"{named}: the daemon carries it, and unpacks it for the first pod"
        expect(image.id, f"the sandbox image {named} is not on the node: the first pod needs a registry")
        return f"{named} is {image.id[:19]}"
    listed = ctx.images.ListImages(cri_pb2.ListImagesRequest()).images
    pinned = [image for image in listed if image.pinned]
    if pinned:
        return f"pinned: {', '.join((*pinned[0].repo_tags, pinned[0].id)[:1])}"
    raise NotApplicable("the endpoint does not say what its sandbox image is, and no image is pinned")


def sandbox_image_of(info: Mapping[str, str]) -> str | None:
    """The sandbox image named in a verbose Status, as containerd and pycri spell it; None when not told."""
    try:
        config = json.loads(info.get("config", ""))
    except ValueError:
        return None
    if not isinstance(config, dict):
        return None
    images = config.get("images")
    named = images.get("sandbox_image") if isinstance(images, dict) else config.get("sandboxImage")
    return named if isinstance(named, str) else None
