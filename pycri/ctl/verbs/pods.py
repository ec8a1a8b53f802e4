"""List pods, the youngest first."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.filters import add_pod_filters, pods
from pycri.ctl.output import human
from pycri.ctl.output.show import add_output, show_message
from pycri.ctl.output.table import table

_HEAD = ("POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME")
_STATES = {cri.SANDBOX_READY: "Ready", cri.SANDBOX_NOTREADY: "NotReady"}


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("--id", help="the pod whose id begins so")
    add_pod_filters(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="each pod in several lines")
    parser.add_argument("-q", "--quiet", action="store_true", help="ids only")
    parser.add_argument("--no-trunc", action="store_true", help="whole ids")
    add_output(parser, "table", "json", "yaml", "table")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    found = pods(chosen, client)
    if chosen.output != "table":
        show_message(cri.ListPodSandboxResponse(items=found), chosen.output)
    elif chosen.quiet:
        print("".join(f"{pod.id}\n" for pod in found), end="")
    elif chosen.verbose:
        for pod in found:
            print(_in_full(pod))
    else:
        print(table([_HEAD, *(_row(pod, whole=chosen.no_trunc) for pod in found)]), end="")


def _row(pod: cri.PodSandbox, *, whole: bool) -> list[str]:
    return [
        pod.id if whole else human.short_id(pod.id),
        human.ago(pod.created_at),
        _STATES[pod.state],
        pod.metadata.name,
        pod.metadata.namespace,
        str(pod.metadata.attempt),
        pod.runtime_handler or "(default)",
    ]


def _in_full(pod: cri.PodSandbox) -> str:
    lines = [f"ID: {pod.id}"]
    lines += [
        f"{name}: {value}"
        for name, value in (
            ("Name", pod.metadata.name),
            ("UID", pod.metadata.uid),
            ("Namespace", pod.metadata.namespace),
            ("Attempt", pod.metadata.attempt),
        )
        if value
    ]
    lines += [f"Status: {_STATES[pod.state]}", f"Created: {human.moment(pod.created_at)}"]
    lines += human.mapping("Labels", pod.labels) + human.mapping("Annotations", pod.annotations)
    lines += [f"Runtime: {pod.runtime_handler or '(default)'}"]
    return "".join(f"{line}\n" for line in lines)
