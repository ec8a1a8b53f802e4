"""Checkpoint containers that run into an archive."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("ids", nargs="+", metavar="CONTAINER-ID")
    parser.add_argument("-e", "--export", required=True, metavar="FILE", help="path of the archive")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError at the first that fails."""
    for container in chosen.ids:
        request = cri.CheckpointContainerRequest(container_id=container, location=chosen.export)
        client.call("CheckpointContainer", request, timeout=0)
        print(container)
