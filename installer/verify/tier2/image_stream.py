"""The list of images as a stream."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.gaps import all_answers
from pycri._generated import cri_pb2


@check(
    "image.stream",
    tier=2,
    title="Streams the list of images",
    proves="StreamImages: the images of ListImages; StreamImagesRequest.filter",
    fix="kubelets from 1.36 list this way when they may",
)
def image_stream(ctx: Context) -> str:
    wanted = ctx.image.id
    parts = all_answers(ctx.images.StreamImages, cri_pb2.StreamImagesRequest(), since="1.36")
    found = [image.id for part in parts for image in part.images]
    listed = [image.id for image in ctx.images.ListImages(cri_pb2.ListImagesRequest()).images]
    expect(wanted in found, f"{wanted} is not among the {len(found)} images")
    expect_equal(len(set(found)), len(found), "the number of distinct ids")
    if len(listed) == len(found):  # on a node, a pull may end between the two
        expect_equal(sorted(found), sorted(listed), "the images streamed")
    only = cri_pb2.ImageFilter(image=cri_pb2.ImageSpec(image=ctx.options.image))
    parts = all_answers(ctx.images.StreamImages, cri_pb2.StreamImagesRequest(filter=only), since="1.36")
    expect_equal([image.id for part in parts for image in part.images], [wanted], "the images by name")
    return f"{len(found)} images; one by its name"
