"""Pull by tag."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.references import familiar
from pycri._generated import cri_pb2


@check(
    "image.pull-tag",
    tier=1,
    title="Pulls an image by tag",
    proves="ImageService.PullImage: image_ref; ImageStatus: Image.id, repo_tags, size",
    fix="can the node reach the registry? Mirrors: /etc/containerd/certs.d/HOST/hosts.toml; or use --image",
    first=True,
)
def image_pull_tag(ctx: Context) -> str:
    ctx.session.note_image()
    spec = cri_pb2.ImageSpec(image=ctx.options.image)
    reference = ctx.images.PullImage(cri_pb2.PullImageRequest(image=spec)).image_ref
    expect(reference, "PullImageResponse.image_ref is empty")
    image = ctx.images.ImageStatus(cri_pb2.ImageStatusRequest(image=spec)).image
    expect(image.id, f"ImageStatus does not know {ctx.options.image} after the pull")
    by_reference = cri_pb2.ImageStatusRequest(image=cri_pb2.ImageSpec(image=reference))
    expect_equal(
        ctx.images.ImageStatus(by_reference).image.id, image.id, f"ImageStatus({reference}).id after the pull"
    )
    if "@" not in ctx.options.image:
        wanted = familiar(ctx.options.image)
        expect(wanted in image.repo_tags, f"repo_tags are {list(image.repo_tags)}, without {wanted}")
    expect(image.size > 0, "Image.size is 0")
    return f"{ctx.options.image} is {image.id[:19]}, {image.size} bytes"
