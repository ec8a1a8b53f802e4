"""List images."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.image_filters import add_image_filters, images, name_and_digest, names_and_tags
from pycri.ctl.output import human
from pycri.ctl.output.show import add_output, show_message
from pycri.ctl.output.table import table


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("image", nargs="?", default="", metavar="REPOSITORY[:TAG]")
    parser.add_argument("-v", "--verbose", action="store_true", help="each image in several lines")
    parser.add_argument("-q", "--quiet", action="store_true", help="ids only")
    add_image_filters(parser)
    add_output(parser, "table", "json", "yaml", "table")
    parser.add_argument("--digests", action="store_true", help="with digests")
    parser.add_argument("--no-trunc", action="store_true", help="whole ids")
    parser.add_argument("--pinned", action="store_true", help="with whether they are pinned")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError, and CtlError for a filter that is none."""
    found = images(client, chosen.image, chosen.filter)
    if chosen.output != "table":
        show_message(cri.ListImagesResponse(images=found), chosen.output)
    elif chosen.quiet:
        print("".join(f"{image.id}\n" for image in found), end="")
    elif chosen.verbose:
        for image in found:
            print(_in_full(image))
    else:
        head = _columns(("IMAGE", "TAG", "DIGEST", "IMAGE ID", "SIZE", "PINNED"), chosen)
        print(table([head, *(row for image in found for row in _rows(image, chosen))]), end="")


def _rows(image: cri.Image, chosen: Namespace) -> list[list[str]]:
    name, digest = name_and_digest(image)
    size = human.size(image.size, 3)
    shown = image.id
    if not chosen.no_trunc:
        shown, digest = human.short_id(shown, "sha256:"), human.short_id(digest, "sha256:")
    pinned = str(image.pinned).lower()
    return [
        _columns((repository, tag, digest, shown, size, pinned), chosen)
        for repository, tag in names_and_tags(image, name)
    ]


def _columns(cells: Sequence[str], chosen: Namespace) -> list[str]:
    """Without those that were not asked for."""
    name, tag, digest, shown, size, pinned = cells
    return [
        name,
        tag,
        *([digest] if chosen.digests else []),
        shown,
        size,
        *([pinned] if chosen.pinned else []),
    ]


def _in_full(image: cri.Image) -> str:
    lines = [f"ID: {image.id}"]
    lines += [f"RepoTags: {tag}" for tag in image.repo_tags]
    lines += [f"RepoDigests: {digest}" for digest in image.repo_digests]
    if image.size:
        lines.append(f"Size: {image.size}")
    if image.HasField("uid"):
        lines.append(f"Uid: value:{image.uid.value}" if image.uid.value else "Uid: ")
    if image.username:
        lines.append(f"Username: {image.username}")
    if image.pinned:
        lines.append("Pinned: true")
    return "".join(f"{line}\n" for line in lines)
