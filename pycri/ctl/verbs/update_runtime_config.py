"""Tell the runtime the pods' address range, as the kubelet does."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("-p", "--pod-cidr", required=True, metavar="CIDR", help="as 10.244.1.0/24")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    network = cri.NetworkConfig(pod_cidr=chosen.pod_cidr)
    config = cri.RuntimeConfig(network_config=network)
    client.call("UpdateRuntimeConfig", cri.UpdateRuntimeConfigRequest(runtime_config=config))
