"""Show pods in full; without an id, all that the filters select."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError
from pycri.ctl.filters import add_pod_filters, pods
from pycri.ctl.output import human
from pycri.ctl.output.jsonable import every_field
from pycri.ctl.output.show import add_output, show_statuses, with_info


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("ids", nargs="*", metavar="POD-ID")
    add_output(parser, "json", "json", "yaml", "table")
    parser.add_argument("-q", "--quiet", action="store_true", help="without the runtime's details")
    add_pod_filters(parser)


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError: a pod is not there."""
    ids = chosen.ids or [pod.id for pod in pods(chosen, client)]
    if not ids:
        raise CtlError("no pod is named, and the filters select none", code=2)
    found: list[dict[str, Any]] = []
    for pod in ids:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=pod, verbose=not chosen.quiet)
        answer: cri.PodSandboxStatusResponse = client.call("PodSandboxStatus", request)
        if chosen.output == "table":
            print(_table(answer, verbose=not chosen.quiet), end="")
        else:
            status = every_field(answer.status)
            status["createdAt"] = human.rfc3339(answer.status.created_at)
            found.append(with_info(status, answer.info))
    if found:
        show_statuses(found, chosen.output)


def _table(answer: cri.PodSandboxStatusResponse, *, verbose: bool) -> str:
    status = answer.status
    lines = [f"ID: {status.id}"]
    lines += [
        f"{name}: {value}"
        for name, value in (
            ("Name", status.metadata.name),
            ("UID", status.metadata.uid),
            ("Namespace", status.metadata.namespace),
        )
        if value
    ]
    lines += [
        f"Attempt: {status.metadata.attempt}",
        f"Status: {cri.PodSandboxState.Name(status.state)}",
        f"Created: {human.moment(status.created_at)}",
    ]
    if status.HasField("network"):
        lines.append(f"IP Addresses: {status.network.ip}")
        lines += [f"Additional IP: {address.ip}" for address in status.network.additional_ips]
    lines += human.mapping("Labels", status.labels) + human.mapping("Annotations", status.annotations)
    if verbose:
        lines.append(human.info(answer.info))
    return "".join(f"{line}\n" for line in lines)
