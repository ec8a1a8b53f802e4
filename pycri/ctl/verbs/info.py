"""Show the runtime's conditions, handlers, features and configuration."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.output.jsonable import jsonable, set_fields
from pycri.ctl.output.show import add_output, show_statuses, with_info


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    add_output(parser, "json", "json", "yaml")
    parser.add_argument("-q", "--quiet", action="store_true", help="without the configuration")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    answer = client.call("Status", cri.StatusRequest(verbose=not chosen.quiet))
    found = with_info(jsonable(answer.status), answer.info)
    # crictl shows these two under the proto's own names, and only what is set
    if answer.runtime_handlers:
        found["runtimeHandlers"] = [set_fields(handler) for handler in answer.runtime_handlers]
    if answer.HasField("features"):
        found["features"] = set_fields(answer.features)
    show_statuses([found], chosen.output)
