"""Make ports of a pod reachable on this host's loopback addresses, until interrupted."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.streams.forward import forward, ports
from pycri.ctl.streams.wire import add_transport


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("pod", metavar="POD-ID")
    parser.add_argument(
        "ports", nargs="+", type=ports, metavar="[LOCAL:]REMOTE", help=":80 for any port here"
    )
    add_transport(parser)


def run(chosen: Namespace, client: Client) -> None:
    """Raises CtlError: a port is taken, or the session ends before the user does."""
    request = cri.PortForwardRequest(pod_sandbox_id=chosen.pod, port=[remote for _, remote in chosen.ports])
    url = client.call("PortForward", request).url
    try:
        forward(url, chosen, chosen.ports)
    except KeyboardInterrupt:
        return
