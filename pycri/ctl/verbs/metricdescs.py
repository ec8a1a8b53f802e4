"""List what metrics there are, with their help texts and labels."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.output.show import add_output, show_message


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    add_output(parser, "json", "json", "yaml")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    show_message(client.call("ListMetricDescriptors", cri.ListMetricDescriptorsRequest()), chosen.output)
