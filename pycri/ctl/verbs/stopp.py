"""Stop pods: their containers end, their network goes, their records stay."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client


def options(parser: ArgumentParser) -> None:
    """Ids."""
    parser.add_argument("ids", nargs="+", metavar="POD-ID")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError at the first that fails."""
    for pod in chosen.ids:
        stop(client, pod)


def stop(client: Client, pod: str) -> None:
    """Stop one, and say so."""
    client.call("StopPodSandbox", cri.StopPodSandboxRequest(pod_sandbox_id=pod))
    print(f"Stopped sandbox {pod}")
