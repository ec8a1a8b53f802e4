"""RemoveImage takes the image away, and once is enough."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "image.remove",
    tier=1,
    title="Removes an image, twice",
    proves="RemoveImage by id: no name and no digest resolves to it any more; again is no error",
    fix="what still holds it? A container that uses it: crictl ps -a",
    after=True,
)
def image_remove(ctx: Context) -> str:
    image = ctx.image
    if not ctx.session.brought_image:
        raise NotApplicable(f"{ctx.options.image} was on the node before: it may be in use, and stays")
    by_id = cri_pb2.RemoveImageRequest(image=cri_pb2.ImageSpec(image=image.id))
    ctx.images.RemoveImage(by_id)
    names = {ctx.options.image, image.id, *image.repo_tags, *image.repo_digests}
    for name in names:
        status = cri_pb2.ImageStatusRequest(image=cri_pb2.ImageSpec(image=name))
        found = ctx.images.ImageStatus(status).image.id
        expect(not found, f"{name} is still {found} after the removal")
    ctx.images.RemoveImage(by_id)
    ctx.session.image.reset()
    return f"{image.id[:19]} is gone, under each of {len(names)} names"
