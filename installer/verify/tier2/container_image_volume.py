"""An image as a volume."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.gaps import containerd_gap
from pycri._generated import cri_pb2

_AT = "/mnt/image"


@check(
    "container.image-volume",
    tier=2,
    title="Mounts an image, and a directory of an image",
    proves=(
        "Mount.image, image_sub_path: read-only, with the image's files; ContainerStatus.mounts tells them"
    ),
    fix="the image must be pulled first; ImageVolumeMountFailed says why not",
)
def container_image_volume(ctx: Context) -> str:
    containerd_gap(ctx, "has no image volumes", before=(2, 1))
    pod, image = ctx.container.pod, cri_pb2.ImageSpec(image=ctx.options.image)
    ctx.container  # noqa: B018 - pulls the image
    whole = cri_pb2.Mount(container_path=_AT, image=image, readonly=True)
    with pod.running(name="image-volume", mounts=[whole]) as container:
        wanted = ctx.container.output("cat", "/etc/passwd")
        expect_equal(container.output("cat", f"{_AT}/etc/passwd"), wanted, "a file of the image")
        refused = container.exec("touch", f"{_AT}/x")
        expect(refused.exit_code != 0, "an image volume is written to")
        told = [mount for mount in container.status.mounts if mount.container_path == _AT]
        expect_equal([mount.image.image for mount in told], [ctx.options.image], "ContainerStatus.mounts")
    containerd_gap(ctx, "has image volumes, without image_sub_path", before=(2, 2))
    part = cri_pb2.Mount(container_path=_AT, image=image, image_sub_path="etc", readonly=True)
    with pod.running(name="image-sub-path", mounts=[part]) as container:
        expect_equal(container.output("cat", f"{_AT}/passwd"), wanted, "a file of the image's directory")
    return "the whole image and its etc, read-only"
