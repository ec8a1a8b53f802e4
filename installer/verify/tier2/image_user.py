"""Whom an image runs as, which the kubelet asks before runAsNonRoot."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import check, expect_equal
from installer.verify.context import Context


@check(
    "image.user",
    tier=2,
    title="Says whom an image runs as",
    proves="Image.uid and Image.username are those that a container runs as when the pod says nothing",
    fix="runAsNonRoot is decided by it: a wrong answer starts a container as root",
)
def image_user(ctx: Context) -> str:
    image = ctx.image
    status = process_status.of_main(ctx.container)
    if image.username:
        by_name = ctx.container.output("id", "-u", image.username).strip()
        expect_equal(str(status.uid), by_name, f"the uid of the container, of {image.username}")
        return f"{image.username}, uid {status.uid}"
    told = image.uid.value if image.HasField("uid") else 0
    expect_equal(status.uid, told, "the uid of the container")
    return f"uid {status.uid}"
