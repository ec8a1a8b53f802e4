"""One image under every name."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "image.references",
    tier=2,
    title="Finds an image by tag, digest, id and the start of its id, and calls it the same everywhere",
    proves=(
        "ImageStatus of each; Image.id is ContainerStatus.image_id and Container.image_id; "
        "repo_digests resolve"
    ),
    fix="image garbage collection goes by this id: where they differ, images in use are removed",
)
def image_references(ctx: Context) -> str:
    image = ctx.image
    bare = image.id.removeprefix("sha256:")
    names = [*image.repo_tags, *image.repo_digests, image.id, bare, bare[:12]]
    for name in names:
        spec = cri_pb2.ImageSpec(image=name)
        found = ctx.images.ImageStatus(cri_pb2.ImageStatusRequest(image=spec)).image
        expect_equal(found.id, image.id, f"the id of {name}")
        expect_equal(sorted(found.repo_tags), sorted(image.repo_tags), f"the tags of {name}")
    container = ctx.container
    status = container.status
    only = cri_pb2.ListContainersRequest(filter=cri_pb2.ContainerFilter(id=container.id))
    entry = ctx.runtime.ListContainers(only).containers[0]
    for where, told in (("the status", status), ("the list", entry)):
        expect_equal(told.image_id or image.id, image.id, f"image_id in {where}")
        spec = cri_pb2.ImageSpec(image=told.image_ref)
        found = ctx.images.ImageStatus(cri_pb2.ImageStatusRequest(image=spec)).image
        expect_equal(found.id, image.id, f"the image of image_ref in {where}")
    expect(status.image.image, "ContainerStatus.image is empty")
    return f"{len(names)} names are {image.id[:19]}, and so is the container's"
