"""The sandbox image is not garbage."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context
from installer.verify.gaps import containerd_gap
from installer.verify.tier0.image_sandbox import sandbox_image_of
from pycri._generated import cri_pb2


@check(
    "image.pinned",
    tier=2,
    title="Pins the sandbox image",
    proves="Image.pinned of the sandbox image: the kubelet's garbage collection leaves it alone",
    fix="without it an offline node loses its sandbox image when its disk is full, and runs no pod any more",
)
def image_pinned(ctx: Context) -> str:
    containerd_gap(ctx, "pins no images", before=(1, 7))
    ctx.container.pod  # noqa: B018 - a pod has run: the image is there
    named = sandbox_image_of(ctx.runtime.Status(cri_pb2.StatusRequest(verbose=True)).info)
    listed = ctx.images.ListImages(cri_pb2.ListImagesRequest()).images
    pinned = [name for image in listed if image.pinned for name in (*image.repo_tags, image.id)]
    if named is None and not pinned:
        raise NotApplicable("the endpoint does not say what its sandbox image is")
    expect(pinned, f"no image is pinned; the sandbox image is {named}")
    expect(named is None or named in pinned, f"{named} is not among the pinned: {pinned}")
    return f"{named or pinned[0]} is pinned"
