"""List containers, the youngest first; without --all, those that run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.container_filters import add_container_filters, containers, pod_name, pod_namespace
from pycri.ctl.errors import CtlError
from pycri.ctl.output import human
from pycri.ctl.output.show import add_output, show_message
from pycri.ctl.output.table import table
from pycri.ctl.verbs import inspecti

_HEAD = ("CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE")
_STATES = {
    cri.CONTAINER_CREATED: "Created",
    cri.CONTAINER_RUNNING: "Running",
    cri.CONTAINER_EXITED: "Exited",
    cri.CONTAINER_UNKNOWN: "Unknown",
}


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("--id", default="", help="the container whose id begins so")
    add_container_filters(parser)
    parser.add_argument("-a", "--all", action="store_true", help="in any state")
    parser.add_argument("-v", "--verbose", action="store_true", help="each container in several lines")
    parser.add_argument("-q", "--quiet", action="store_true", help="ids only")
    parser.add_argument("--no-trunc", action="store_true", help="whole ids")
    parser.add_argument("-r", "--resolve-image-path", action="store_true", help="images by name, not by id")
    add_output(parser, "table", "json", "yaml", "table")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    found = containers(chosen, client)
    if chosen.output != "table":
        show_message(cri.ListContainersResponse(containers=found), chosen.output)
    elif chosen.quiet:
        print("".join(f"{container.id}\n" for container in found), end="")
    elif chosen.verbose:
        for container in found:
            print(_in_full(container))
    else:
        print(table([_HEAD, *(_row(container, chosen, client) for container in found)]), end="")


def _row(container: cri.Container, chosen: Namespace, client: Client) -> list[str]:
    image = container.image.image
    shown, pod = container.id, container.pod_sandbox_id
    if not chosen.no_trunc:
        shown, pod = human.short_id(shown), human.short_id(pod)
        image = human.short_id(image, "sha256:") if image.startswith("sha256:") else image
    if chosen.resolve_image_path:
        image = _name(client, container.image.image) or image
    return [
        shown,
        image,
        human.ago(container.created_at),
        _STATES[container.state],
        container.metadata.name,
        str(container.metadata.attempt),
        pod,
        pod_name(container),
        pod_namespace(container),
    ]


def _name(client: Client, image: str) -> str:
    """Its first tag; nothing where it has none or is gone."""
    try:
        return next(iter(inspecti.status(client, image).image.repo_tags), "")
    except CtlError:
        return ""


def _in_full(container: cri.Container) -> str:
    lines = [
        f"ID: {container.id}",
        f"PodID: {container.pod_sandbox_id}",
        f"Namespace: {pod_namespace(container)}",
    ]
    if container.metadata.name:
        lines.append(f"Name: {container.metadata.name}")
    lines += [
        f"Attempt: {container.metadata.attempt}",
        f"State: {_STATES[container.state]}",
        f"Image: {container.image.image}",
        f"Created: {human.ago(container.created_at)}",
    ]
    lines += human.mapping("Labels", container.labels)
    lines += human.mapping("Annotations", container.annotations)
    return "".join(f"{line}\n" for line in lines)
