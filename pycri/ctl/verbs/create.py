"""Create a container in a pod; its id is printed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.configs import container_config, pod_config
from pycri.ctl.credentials import add_credentials, credentials
from pycri.ctl.errors import CtlError
from pycri.ctl.verbs.pull import add_pull_timeout, pull
from pycri.ctl.verbs.runp import add_cancel_timeout


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("pod", metavar="POD-ID")
    parser.add_argument("config", metavar="CONTAINER-CONFIG", help="a JSON file")
    parser.add_argument("pod_config", metavar="POD-CONFIG", help="the JSON file that the pod was run with")
    add_pull_options(parser)


def add_pull_options(parser: ArgumentParser) -> None:
    """Whether, and how, the image is pulled first."""
    parser.add_argument("--no-pull", action="store_true", help="the image is there")
    parser.add_argument("--with-pull", action="store_true", help="pull the image first")
    add_credentials(parser)
    add_cancel_timeout(parser)
    add_pull_timeout(parser)


def run(chosen: Namespace, client: Client) -> None:
    """Raises CtlError: no such configuration, or the runtime refuses."""
    pulls = wants_pull(chosen, default=client.settings.pull_image_on_create)
    print(create(client, chosen, chosen.pod, pod_config(chosen.pod_config), pulls=pulls))


def wants_pull(chosen: Namespace, *, default: bool) -> bool:
    """Raises CtlError: both ways at once."""
    if chosen.no_pull and chosen.with_pull:
        raise CtlError("--no-pull and --with-pull exclude each other", code=2)
    return bool(chosen.with_pull or (default and not chosen.no_pull))


def create(client: Client, chosen: Namespace, pod: str, sandbox: cri.PodSandboxConfig, *, pulls: bool) -> str:
    """The container's id. Pulls the images of its volumes too. Raises CtlError."""
    config = container_config(chosen.config)
    if pulls:
        auth = credentials(chosen)
        volumes = [mount.image for mount in config.mounts if mount.image.image]
        for image in (config.image, *volumes):
            pull(client, image, auth, sandbox, chosen.pull_timeout)
    request = cri.CreateContainerRequest(pod_sandbox_id=pod, config=config, sandbox_config=sandbox)
    return str(client.call("CreateContainer", request, timeout=chosen.cancel_timeout or None).container_id)
