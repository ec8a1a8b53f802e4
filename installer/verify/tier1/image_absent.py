"""An image that is not there is an answer, not an error."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.context import Context
from pycri._generated import cri_pb2

ABSENT = "registry.k8s.io/nodestrap/absent:never"


@check(
    "image.absent",
    tier=1,
    title="An absent image is no error",
    proves="ImageService.ImageStatus leaves image unset; RemoveImage is idempotent",
    fix="ImageStatus of an unknown image must answer OK without an image: the kubelet then pulls it",
)
def image_absent(ctx: Context) -> str:
    spec = cri_pb2.ImageSpec(image=ABSENT)
    answer = ctx.images.ImageStatus(cri_pb2.ImageStatusRequest(image=spec))
    expect(not answer.HasField("image"), f"ImageStatus({ABSENT}) answers with image {answer.image.id!r}")
    ctx.images.RemoveImage(cri_pb2.RemoveImageRequest(image=spec))
    return "its status is empty, and its removal succeeds"
