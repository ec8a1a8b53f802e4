"""Show images in full; without an id, all that the filters select."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError
from pycri.ctl.image_filters import add_image_filters, images
from pycri.ctl.output import human
from pycri.ctl.output.jsonable import jsonable
from pycri.ctl.output.show import add_output, show_statuses, with_info


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("ids", nargs="*", metavar="IMAGE-ID")
    add_output(parser, "json", "json", "yaml", "table")
    parser.add_argument("-q", "--quiet", action="store_true", help="without the runtime's details")
    parser.add_argument("--name", default="", help="the image of this name")
    add_image_filters(parser)


def run(chosen: Namespace, client: Client) -> None:
    """Raises CtlError: an image is not there."""
    ids = chosen.ids or [image.id for image in images(client, chosen.name, chosen.filter)]
    if not ids:
        raise CtlError("no image is named, and the filters select none", code=2)
    found: list[dict[str, Any]] = []
    for name in ids:
        answer = status(client, name, verbose=not chosen.quiet)
        if chosen.output == "table":
            print(_table(answer, verbose=not chosen.quiet), end="")
        else:
            found.append(with_info(jsonable(answer.image), answer.info))
    if found:
        show_statuses(found, chosen.output)


def status(client: Client, name: str, *, verbose: bool = False) -> cri.ImageStatusResponse:
    """Raises CtlError: it is not there."""
    request = cri.ImageStatusRequest(image=cri.ImageSpec(image=name), verbose=verbose)
    answer: cri.ImageStatusResponse = client.call("ImageStatus", request)
    if not answer.HasField("image"):
        raise CtlError(f"no such image {name!r} present")
    return answer


def _table(answer: cri.ImageStatusResponse, *, verbose: bool) -> str:
    lines = [f"ID: {answer.image.id}"]
    lines += [f"Tag: {tag}" for tag in answer.image.repo_tags]
    lines += [f"Digest: {digest}" for digest in answer.image.repo_digests]
    lines += [f"Size: {human.size(answer.image.size, 3)}"]
    if verbose:
        lines += [human.info(answer.info)]
    return "".join(f"{line}\n" for line in lines)
