"""Which containers a verb means: the options that crictl's verbs share, and what they select."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError
from pycri.ctl.filters import add_labels, add_last, matches, pattern, youngest
from pycri.ctl.verbs import inspecti

_STATES = {
    "created": cri.CONTAINER_CREATED,
    "running": cri.CONTAINER_RUNNING,
    "exited": cri.CONTAINER_EXITED,
    "unknown": cri.CONTAINER_UNKNOWN,
}
# What the kubelet writes on each container.
_POD_NAME = "io.kubernetes.pod.name"
_POD_NAMESPACE = "io.kubernetes.pod.namespace"


def add_container_filters(parser: ArgumentParser, *, short_state: bool = True) -> None:
    """The options that ``containers`` reads. `short_state`: whether -s is free."""
    parser.add_argument("--name", type=pattern, metavar="REGEX", help="containers of such a name")
    parser.add_argument("--namespace", type=pattern, metavar="REGEX", help="of pods in such a namespace")
    parser.add_argument("-p", "--pod", default="", metavar="ID", help="of the pod whose id begins so")
    parser.add_argument("--image", help="made from this image")
    flags = ("-s", "--state") if short_state else ("--state",)
    parser.add_argument(*flags, type=str.lower, choices=_STATES, help="in this state")
    add_labels(parser)
    add_last(parser)


def containers(chosen: Namespace, client: Client) -> list[cri.Container]:
    """The containers selected, the youngest first. Raises CallError.

    Without a state, ``--all``, ``--latest`` or ``--last``, those that run.
    """
    filters = cri.ContainerFilter(
        id=getattr(chosen, "id", ""), pod_sandbox_id=chosen.pod, label_selector=dict(chosen.label)
    )
    if not (chosen.latest or chosen.last > 0):
        if chosen.state:
            filters.state.state = _STATES[chosen.state]
        elif not getattr(chosen, "all", False):
            filters.state.state = cri.CONTAINER_RUNNING
    listed = client.call("ListContainers", cri.ListContainersRequest(filter=filters)).containers
    image = _image_id(client, chosen.image) if chosen.image else None
    matching = [
        container
        for container in listed
        if matches(chosen.name, container.metadata.name)
        and matches(chosen.namespace, pod_namespace(container))
        and (image is None or (image and _image_id(client, container.image.image) == image))
    ]
    return youngest(matching, chosen)


def pod_name(container: cri.Container) -> str:
    """Its pod's, as the kubelet noted it."""
    return container.labels.get(_POD_NAME, "unknown")


def pod_namespace(container: cri.Container) -> str:
    """Its pod's, as the kubelet noted it."""
    return container.labels.get(_POD_NAMESPACE, "unknown")


def _image_id(client: Client, name: str) -> str:
    """Empty where there is no such image."""
    try:
        return inspecti.status(client, name).image.id
    except CtlError:
        return ""
