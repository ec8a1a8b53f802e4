"""Print what happens to containers, as it happens, until interrupted."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.output.show import add_output, show_message


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    add_output(parser, "json", "json", "yaml")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError: the runtime ends the stream."""
    for event in client.stream("GetContainerEvents", cri.GetEventsRequest()):
        show_message(event, chosen.output)
        sys.stdout.flush()
