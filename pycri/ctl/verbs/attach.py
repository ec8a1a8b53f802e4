"""Attach to a container's own process, until it ends; ctrl-p ctrl-q leaves it with -t."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.streams.wire import add_transport


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("container", metavar="CONTAINER-ID")
    parser.add_argument("-t", "--tty", action="store_true", help="the container has a terminal")
    parser.add_argument("-i", "--stdin", action="store_true", help="pass standard input on")
    add_transport(parser)


def run(chosen: Namespace, client: Client) -> int:
    """The session's end is no exit code of the container. Raises CtlError."""
    from pycri.ctl.streams.session import run_session

    request = cri.AttachRequest(
        container_id=chosen.container,
        tty=chosen.tty,
        stdin=chosen.stdin,
        stdout=True,
        stderr=not chosen.tty,
    )
    url = client.call("Attach", request).url
    return run_session(url, chosen, stdin=chosen.stdin, tty=chosen.tty)
