"""``-o``: the formats that verbs share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from pycri.ctl.errors import CtlError
from pycri.ctl.output.jsonable import dumps, jsonable
from pycri.ctl.output.yaml import yaml


def add_output(parser: argparse.ArgumentParser, default: str, *formats: str) -> None:
    """The option, with the formats that the verb has."""
    parser.add_argument(
        "-o", "--output", default=default, type=_format(formats), metavar="|".join(formats), help="format"
    )


def show_message(message: Message, form: str) -> None:
    """An answer as it is, as JSON or YAML."""
    value = jsonable(message)
    print(yaml(value) if form == "yaml" else dumps(value))


def show_statuses(statuses: Sequence[Mapping[str, Any]], form: str) -> None:
    """What an inspecting verb found: one status as it is, several in a list. Keys are sorted."""
    value = statuses[0] if len(statuses) == 1 else list(statuses)
    print(yaml(value) if form == "yaml" else dumps(value, sort=True))


def with_info(status: Mapping[str, Any], info: Mapping[str, str]) -> dict[str, Any]:
    """A status and the runtime's own details beside it. Raises CtlError: one is not the JSON it seems."""
    found: dict[str, Any] = {"status": status}
    for key, text in info.items():
        if text.startswith("{"):
            try:
                found[key] = json.loads(text, parse_float=_number)
            except ValueError as error:
                raise CtlError(f"the runtime's {key!r} is no JSON: {error}") from None
        else:
            found[key] = text.strip('"')
    return found


def _number(text: str) -> float:
    """As JavaScript shows it: a whole number has no fraction."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _format(formats: Sequence[str]) -> Any:
    def read(text: str) -> str:
        if text in formats:
            return text
        if text == "go-template":
            raise argparse.ArgumentTypeError("Go templates are not supported; use json, and jq")
        raise argparse.ArgumentTypeError(f"there is no format {text!r}, only {', '.join(formats)}")

    return read
