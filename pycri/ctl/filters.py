"""Which pods and containers a verb means: the options that crictl's verbs share, and what they select."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from typing import TypeVar

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client

_Listed = TypeVar("_Listed", cri.PodSandbox, cri.Container)
_POD_STATES = {"ready": cri.SANDBOX_READY, "notready": cri.SANDBOX_NOTREADY}


def add_pod_filters(parser: ArgumentParser) -> None:
    """The options that ``pods`` reads."""
    parser.add_argument("--name", type=pattern, metavar="REGEX", help="pods of such a name")
    parser.add_argument("--namespace", type=pattern, metavar="REGEX", help="pods in such a namespace")
    parser.add_argument("-s", "--state", type=str.lower, choices=_POD_STATES, help="pods in this state")
    add_labels(parser)
    add_last(parser)


def add_labels(parser: ArgumentParser) -> None:
    """``--label``, any number of times."""
    parser.add_argument(
        "--label", type=pair, action="append", default=[], metavar="KEY=VALUE", help="with this label"
    )


def add_last(parser: ArgumentParser) -> None:
    """``--latest`` and ``--last``."""
    parser.add_argument("-l", "--latest", action="store_true", help="the youngest only")
    parser.add_argument("-n", "--last", type=int, default=0, metavar="N", help="the N youngest; 0: all")


def pods(chosen: Namespace, client: Client) -> list[cri.PodSandbox]:
    """The pods selected, the youngest first. Raises CallError."""
    filters = cri.PodSandboxFilter(id=getattr(chosen, "id", None) or "", label_selector=dict(chosen.label))
    if chosen.state:
        filters.state.state = _POD_STATES[chosen.state]
    listed = client.call("ListPodSandbox", cri.ListPodSandboxRequest(filter=filters)).items
    matching = [
        pod
        for pod in listed
        if matches(chosen.name, pod.metadata.name) and matches(chosen.namespace, pod.metadata.namespace)
    ]
    return youngest(matching, chosen)


def youngest(listed: Iterable[_Listed], chosen: Namespace) -> list[_Listed]:
    """Sorted by age, and as many as ``--latest`` or ``--last`` wants."""
    ordered = sorted(listed, key=lambda one: -one.created_at)
    count = chosen.last if chosen.last > 0 else 1 if chosen.latest else len(ordered)
    return ordered[:count]


def matches(wanted: re.Pattern[str] | None, text: str) -> bool:
    """Whether the text is as wanted; without a pattern, always."""
    return wanted is None or wanted.search(text) is not None


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression. Raises ArgumentTypeError."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None


def pair(text: str) -> tuple[str, str]:
    """``key=value``. Raises ArgumentTypeError."""
    key, equals, value = text.partition("=")
    if not equals or "=" in value:
        raise ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
