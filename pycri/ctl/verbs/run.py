"""Run a pod with one container in it; the container's id is printed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri.ctl.client import Client
from pycri.ctl.configs import pod_config
from pycri.ctl.verbs.create import add_pull_options, create, wants_pull
from pycri.ctl.verbs.runp import add_runtime, run_pod
from pycri.ctl.verbs.start import start


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("config", metavar="CONTAINER-CONFIG", help="a JSON file")
    parser.add_argument("pod_config", metavar="POD-CONFIG", help="a JSON file")
    add_runtime(parser)
    add_pull_options(parser)


def run(chosen: Namespace, client: Client) -> None:
    """The pod stays when its container fails. Raises CtlError."""
    pulls = wants_pull(chosen, default=not client.settings.disable_pull_on_run)
    sandbox = pod_config(chosen.pod_config)
    pod = run_pod(client, sandbox, chosen.runtime)
    start(client, create(client, chosen, pod, sandbox, pulls=pulls))
