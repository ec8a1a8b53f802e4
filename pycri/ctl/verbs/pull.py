"""Pull an image."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.cli import seconds
from pycri.ctl.client import Client
from pycri.ctl.credentials import add_credentials, credentials
from pycri.ctl.filters import pair


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("image", metavar="NAME[:TAG|@DIGEST]")
    add_credentials(parser)
    parser.add_argument("--pod-config", metavar="FILE", help="JSON of the pod that the image is for")
    parser.add_argument(
        "-a",
        "--annotation",
        type=pair,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="on the request",
    )
    add_pull_timeout(parser)


def add_pull_timeout(parser: ArgumentParser) -> None:
    """``--pull-timeout``."""
    parser.add_argument(
        "-pt",
        "--pull-timeout",
        type=seconds,
        default=os.environ.get("CRICTL_PULL_TIMEOUT") or "0",
        metavar="TIME",
        help="as 5m; 0: none",
    )


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    pod = None
    if chosen.pod_config:
        from pycri.ctl.configs import pod_config

        pod = pod_config(chosen.pod_config)
    image = cri.ImageSpec(image=chosen.image, annotations=dict(chosen.annotation))
    reference = pull(client, image, credentials(chosen), pod, chosen.pull_timeout)
    print(f"Image is up to date for {reference}")


def pull(
    client: Client,
    image: cri.ImageSpec,
    auth: cri.AuthConfig | None,
    pod: cri.PodSandboxConfig | None,
    timeout: float,
) -> str:
    """Pull, within `timeout` seconds (0: however long it takes); the image's reference. Raises CallError."""
    request = cri.PullImageRequest(image=image, auth=auth, sandbox_config=pod)
    return str(client.call("PullImage", request, timeout=timeout).image_ref)
