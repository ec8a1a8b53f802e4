"""List the pods' metrics, under cAdvisor's names."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.output.show import add_output, show_message
from pycri.ctl.watch import add_watch, watch


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    add_output(parser, "json", "json", "yaml")
    add_watch(parser)


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""

    def show() -> None:
        answer = client.call("ListPodSandboxMetrics", cri.ListPodSandboxMetricsRequest())
        show_message(answer, chosen.output)

    watch(show, again=chosen.watch)
