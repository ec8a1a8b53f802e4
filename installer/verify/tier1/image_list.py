"""ListImages, whole and filtered."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "image.list",
    tier=1,
    title="Lists images",
    proves="ImageService.ListImages, with and without ImageFilter.image",
    fix="compare with: crictl images",
)
def image_list(ctx: Context) -> str:
    image_id = ctx.image.id
    listed = [image.id for image in ctx.images.ListImages(cri_pb2.ListImagesRequest()).images]
    expect(image_id in listed, f"{image_id} is not among the {len(listed)} images listed")
    expect_equal(len(set(listed)), len(listed), "the number of distinct ids listed")
    only = cri_pb2.ImageFilter(image=cri_pb2.ImageSpec(image=ctx.options.image))
    found = [each.id for each in ctx.images.ListImages(cri_pb2.ListImagesRequest(filter=only)).images]
    expect(image_id in found, f"{image_id} is not in the list filtered by its name")
    # containerd ignores the filter, and the kubelet never sets it: told, not demanded
    return f"{len(listed)} listed, {len(found)} by name"
