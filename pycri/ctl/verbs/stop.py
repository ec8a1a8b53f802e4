"""Stop containers: their stop signal, then after --timeout SIGKILL."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError

_SLACK = 120.0  # s that a runtime may take beyond the time that the container has


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("ids", nargs="*", metavar="CONTAINER-ID")
    parser.add_argument(
        "-t", "--timeout", type=int, default=0, metavar="SECONDS", help="for the container to end by itself"
    )
    parser.add_argument("-a", "--all", action="store_true", help="every container that runs")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError at the first that fails."""
    if bool(chosen.ids) == chosen.all:
        raise CtlError("name the containers to stop, or --all, and not both", code=2)
    ids = chosen.ids
    if chosen.all:
        request = cri.ListContainersRequest()
        request.filter.state.state = cri.CONTAINER_RUNNING
        ids = [container.id for container in client.call("ListContainers", request).containers]
        if not ids:
            print("No running containers found.")
    for container in ids:
        stop(client, container, chosen.timeout)


def stop(client: Client, container: str, grace: int = 0) -> None:
    """Stop one, and print its id."""
    request = cri.StopContainerRequest(container_id=container, timeout=grace)
    client.call("StopContainer", request, timeout=grace + _SLACK)
    print(container)
