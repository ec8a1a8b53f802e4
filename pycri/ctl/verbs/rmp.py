"""Remove pods that are stopped; with --force, running ones too."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError
from pycri.ctl.several import each
from pycri.ctl.verbs.stopp import stop


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("ids", nargs="*", metavar="POD-ID")
    parser.add_argument("-f", "--force", action="store_true", help="stop those that run")
    parser.add_argument("-a", "--all", action="store_true", help="every pod")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CtlError that names each pod which could not be removed."""
    ids = chosen.ids
    if chosen.all:
        ids = [pod.id for pod in client.call("ListPodSandbox", cri.ListPodSandboxRequest()).items]
        if not ids:
            return
    elif not ids:
        raise CtlError("name the pods to remove, or --all", code=2)
    each(ids, lambda pod: remove(client, pod, force=chosen.force))


def remove(client: Client, pod: str, *, force: bool) -> None:
    """Remove one, and say so. Raises CtlError: it is not there, or runs."""
    request = cri.PodSandboxStatusRequest(pod_sandbox_id=pod)
    if client.call("PodSandboxStatus", request).status.state == cri.SANDBOX_READY:
        if not force:
            raise CtlError("it is running: stop it first, or use --force")
        stop(client, pod)
    client.call("RemovePodSandbox", cri.RemovePodSandboxRequest(pod_sandbox_id=pod))
    print(f"Removed sandbox {pod}")
