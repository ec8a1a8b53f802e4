"""Pulls that must fail, and soon."""

from __future__ import annotations

import time

from installer.verify.check import Failed, check, expect
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.references import repository
from pycri._generated import cri_pb2


@check(
    "image.pull-errors",
    tier=2,
    title="Fails a pull that cannot be, with the reason",
    proves="PullImage: a registry that is not there, a tag that is not there, a name that is none",
    fix="ImagePullBackOff shows this reason to people",
)
def image_pull_errors(ctx: Context) -> str:
    ctx.image  # noqa: B018 - the registry works
    wanted = {
        "127.0.0.1:1/nodestrap/none:1": "nobody listens there",
        f"{repository(ctx.options.image)}:nodestrap-no-such-tag": "no such tag",
        "Not A/Name:::": "no name",
    }
    told = []
    for name, what in wanted.items():
        started = time.monotonic()
        try:
            ctx.images.PullImage(cri_pb2.PullImageRequest(image=cri_pb2.ImageSpec(image=name)))
        except CriError as error:
            took = time.monotonic() - started
            expect(error.code not in ("DEADLINE_EXCEEDED", "UNAVAILABLE") or took < 60, f"{name}: {error}")
            expect(error.details, f"{name}: no reason is given")
            told.append(f"{what}: {error.code}")
        else:
            raise Failed(f"{name} was pulled")
    return "; ".join(told)
