"""Run a pod; its id is printed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.cli import seconds
from pycri.ctl.client import Client
from pycri.ctl.configs import pod_config


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("config", metavar="POD-CONFIG", help="a JSON file")
    add_runtime(parser)
    add_cancel_timeout(parser)


def add_runtime(parser: ArgumentParser) -> None:
    """``--runtime``."""
    parser.add_argument("-r", "--runtime", default="", metavar="HANDLER", help="the runtime handler")


def add_cancel_timeout(parser: ArgumentParser) -> None:
    """``--cancel-timeout``."""
    parser.add_argument(
        "-T", "--cancel-timeout", type=seconds, metavar="TIME", help="after which the request is given up"
    )


def run(chosen: Namespace, client: Client) -> None:
    """Raises CtlError: no such configuration, or the runtime refuses."""
    print(run_pod(client, pod_config(chosen.config), chosen.runtime, chosen.cancel_timeout))


def run_pod(client: Client, config: cri.PodSandboxConfig, handler: str, timeout: float | None = None) -> str:
    """The pod's id. Raises CallError."""
    request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
    return str(client.call("RunPodSandbox", request, timeout=timeout or None).pod_sandbox_id)
