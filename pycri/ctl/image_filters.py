"""Which images a verb means: ``--filter``, and an image's name, tag and digest as columns."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError

_NONE = "<none>"


def add_image_filters(parser: ArgumentParser) -> None:
    """The option that ``images`` reads."""
    parser.add_argument(
        "-f",
        "--filter",
        action="append",
        default=[],
        metavar="FILTER",
        help="dangling=true|false, reference=REGEX, before=IMAGE or since=IMAGE; any number of them",
    )


def images(client: Client, name: str, filters: Iterable[str]) -> list[cri.Image]:
    """The images selected, by name. Raises CallError, and CtlError for a filter that is none."""
    request = cri.ListImagesRequest(filter=cri.ImageFilter(image=cri.ImageSpec(image=name)))
    found = sorted(client.call("ListImages", request).images, key=_order)
    for text in filters:
        found = _filtered(found, text)
    return found


def name_and_digest(image: cri.Image) -> tuple[str, str]:
    """From its first repository digest."""
    if not image.repo_digests:
        return _NONE, _NONE
    name, at, digest = image.repo_digests[0].partition("@")
    return (name, digest) if at else (image.repo_digests[0], _NONE)


def names_and_tags(image: cri.Image, name: str) -> list[tuple[str, str]]:
    """A pair for each of its tags; an image without any is one pair all the same."""
    pairs = [(tag.rpartition(":")[0], tag.rpartition(":")[2]) for tag in image.repo_tags]
    return [(name if repository == _NONE else repository, tag) for repository, tag in pairs] or [
        (name, _NONE)
    ]


def _order(image: cri.Image) -> tuple[Any, ...]:
    return (not image.repo_tags, list(image.repo_tags)[:1], list(image.repo_digests)[:1], image.id)


def _filtered(found: Sequence[cri.Image], text: str) -> list[cri.Image]:
    key, _, value = text.partition("=")
    if key == "dangling" and value in ("true", "false"):
        return [image for image in found if bool(image.repo_tags) == (value == "false")]
    if key == "reference":
        try:
            wanted = re.compile(value)
        except re.error as error:
            raise CtlError(f"--filter {text}: {value!r} is no regular expression: {error}", code=2) from None
        return [image for image in found if wanted.search(name_and_digest(image)[0])]
    if key in ("before", "since") and value:
        place = next((at for at, image in enumerate(found) if _is(image, value)), None)
        if place is None:
            return list(found)
        return list(found[place + 1 :] if key == "before" else found[:place])
    raise CtlError(
        f"--filter {text} is none: dangling=true|false, reference=REGEX, before=IMAGE, since=IMAGE", code=2
    )


def _is(image: cri.Image, value: str) -> bool:
    if "@" in value:
        return any(digest.startswith(value) for digest in image.repo_digests)
    if ":" in value:
        return value in image.repo_tags
    return image.id.removeprefix("sha256:").startswith(value)
