"""YAML out of JSON values: a node has no YAML library, and writing some needs none."""

from __future__ import annotations

import json
import re
from typing import Any

# A text that nothing reads as anything else: no number, date, indicator or edge of white space.
_PLAIN = re.compile(r"[A-Za-z_/.](?:[\w ./@+=-]|:(?=\S)|(?<=\S)#)*(?<![ :])\Z", re.ASCII)
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", ".inf", ".nan"}


def yaml(value: Any) -> str:
    """Block style, keys sorted."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        found = []
        for key in sorted(value):
            found += _entry(f"{_scalar(key)}:", value[key], indent=isinstance(value[key], dict))
        return found
    if isinstance(value, list) and value:
        found = []
        for item in value:
            first, *rest = _lines(item)
            found += [f"- {first}", *(f"  {line}" for line in rest)]
        return found
    return [_scalar(value)]


def _entry(name: str, value: Any, *, indent: bool) -> list[str]:
    if not isinstance(value, dict | list) or not value:
        return [f"{name} {_scalar(value)}"]
    pad = "  " if indent else ""
    return [name, *(pad + line for line in _lines(value))]


def _scalar(value: Any) -> str:
    if isinstance(value, str) and (not _PLAIN.match(value) or value.lower() in _WORDS):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return value
    return json.dumps(value)
