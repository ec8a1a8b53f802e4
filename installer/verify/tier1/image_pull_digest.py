"""Pull by digest."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect_equal
from installer.verify.context import Context
from installer.verify.references import repository
from pycri._generated import cri_pb2


@check(
    "image.pull-digest",
    tier=1,
    title="Pulls the same image by digest",
    proves="Image.repo_digests; ImageService.PullImage of name@digest gives the same Image.id",
    fix="see the daemon's log for the pull; a mirror must serve manifests by digest too",
)
def image_pull_digest(ctx: Context) -> str:
    image = ctx.image
    wanted = repository(ctx.options.image) + "@"
    by_digest = next((each for each in image.repo_digests if each.startswith(wanted)), None)
    if by_digest is None:
        raise Failed(f"repo_digests are {list(image.repo_digests)}, none of {wanted}…")
    spec = cri_pb2.ImageSpec(image=by_digest)
    ctx.images.PullImage(cri_pb2.PullImageRequest(image=spec))
    found = ctx.images.ImageStatus(cri_pb2.ImageStatusRequest(image=spec)).image
    expect_equal(found.id, image.id, f"the id of {by_digest}")
    return f"{by_digest.partition('@')[2][:19]} is {found.id[:19]}"
