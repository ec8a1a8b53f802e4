"""Show containers in full; without an id, all that the filters select."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.container_filters import add_container_filters, containers
from pycri.ctl.errors import CtlError
from pycri.ctl.output import human
from pycri.ctl.output.jsonable import every_field
from pycri.ctl.output.show import add_output, show_statuses, with_info

_NEVER = "0001-01-01T00:00:00Z"


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("ids", nargs="*", metavar="CONTAINER-ID")
    add_output(parser, "json", "json", "yaml", "table")
    parser.add_argument("-q", "--quiet", action="store_true", help="without the runtime's details")
    parser.add_argument("-a", "--all", action="store_true", help="in any state")
    add_container_filters(parser)


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError: a container is not there."""
    ids = chosen.ids or [container.id for container in containers(chosen, client)]
    if not ids:
        raise CtlError("no container is named, and the filters select none", code=2)
    found: list[dict[str, Any]] = []
    for container in ids:
        request = cri.ContainerStatusRequest(container_id=container, verbose=not chosen.quiet)
        answer: cri.ContainerStatusResponse = client.call("ContainerStatus", request)
        if chosen.output == "table":
            print(_table(answer, verbose=not chosen.quiet), end="")
        else:
            found.append(with_info(_readable(answer.status), answer.info))
    if found:
        show_statuses(found, chosen.output)


def _readable(status: cri.ContainerStatus) -> dict[str, Any]:
    """With times that people read, and a time long past for what has not happened."""
    found = every_field(status)
    ended = status.state == cri.CONTAINER_EXITED or (
        status.state == cri.CONTAINER_UNKNOWN and status.finished_at > 0
    )
    begun = status.state != cri.CONTAINER_CREATED
    found["createdAt"] = human.rfc3339(status.created_at)
    found["startedAt"] = human.rfc3339(status.started_at) if begun else _NEVER
    found["finishedAt"] = human.rfc3339(status.finished_at) if ended else _NEVER
    return found


def _table(answer: cri.ContainerStatusResponse, *, verbose: bool) -> str:
    status = answer.status
    lines = [f"ID: {status.id}"]
    if status.metadata.name:
        lines.append(f"Name: {status.metadata.name}")
    if status.metadata.attempt:
        lines.append(f"Attempt: {status.metadata.attempt}")
    lines += [f"State: {cri.ContainerState.Name(status.state)}", f"Created: {human.ago(status.created_at)}"]
    if status.state != cri.CONTAINER_CREATED:
        lines.append(f"Started: {human.ago(status.started_at)}")
    if status.state == cri.CONTAINER_EXITED:
        if status.finished_at > 0:
            lines.append(f"Finished: {human.ago(status.finished_at)}")
        lines.append(f"Exit Code: {status.exit_code}")
    lines += human.mapping("Labels", status.labels) + human.mapping("Annotations", status.annotations)
    if verbose:
        lines.append(human.info(answer.info))
    return "".join(f"{line}\n" for line in lines)
