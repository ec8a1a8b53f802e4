"""Remove images, with all of their tags: the CRI cannot remove a single tag."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError
from pycri.ctl.several import each
from pycri.ctl.verbs import inspecti


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("ids", nargs="*", metavar="IMAGE-ID")
    parser.add_argument("-a", "--all", action="store_true", help="every image")
    parser.add_argument("-q", "--prune", action="store_true", help="those that no container uses")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CtlError that names each image which could not be removed."""
    ids = list(chosen.ids)
    if chosen.all or chosen.prune:
        listed = client.call("ListImages", cri.ListImagesRequest()).images
        ids += [image.id for image in listed if not (chosen.prune and image.pinned)]
    elif not ids:
        raise CtlError("name the images to remove, or --all, or --prune", code=2)
    if chosen.prune:
        used = _used(client)
        ids = [name for name in ids if name not in used]
    each(dict.fromkeys(ids), lambda name: remove(client, name, may_be_gone=chosen.prune))


def remove(client: Client, name: str, *, may_be_gone: bool) -> None:
    """Remove one, and say what went with it. Raises CtlError, unless somebody may take it from under us."""
    try:
        image = inspecti.status(client, name).image
        tags = list(image.repo_tags)
        if len(tags) > 1 and not name.startswith("sha256:") and (":" in name or "/" in name):
            print(f"warning: {name} goes with all of its tags: {', '.join(tags)}", file=sys.stderr)
        client.call("RemoveImage", cri.RemoveImageRequest(image=cri.ImageSpec(image=name)))
    except CtlError:
        if may_be_gone:
            return
        raise
    for gone in tags or image.repo_digests:
        print(f"Deleted: {gone}")


def _used(client: Client) -> set[str]:
    """Ids of the images that a container is made from."""
    found = set()
    for container in client.call("ListContainers", cri.ListContainersRequest()).containers:
        answer = client.call("ImageStatus", cri.ImageStatusRequest(image=container.image))
        found.add(answer.image.id)
    return found
