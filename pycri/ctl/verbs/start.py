"""Start containers that are created."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client


def options(parser: ArgumentParser) -> None:
    """Ids."""
    parser.add_argument("ids", nargs="+", metavar="CONTAINER-ID")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError at the first that fails."""
    for container in chosen.ids:
        start(client, container)


def start(client: Client, container: str) -> None:
    """Start one, and print its id."""
    client.call("StartContainer", cri.StartContainerRequest(container_id=container))
    print(container)
