"""YAML out of JSON values: a node has no YAML library, and writing some needs none."""

from __future__ import annotations

import json
import re
from typing import Any

# A text that block style shows as it is: no indicator in front, no ": " or " #" within, no spaces around.
_PLAIN = re.compile(r"""(?:[\w/.$();^<+\\=]|-(?=[^\s-]))(?:[!-9;-~]|:(?=[^\s])|\ (?=[^\s#]))*\Z""", re.ASCII)
# What would be read as a number, a date or a time of day, or as the words below.
_OTHER = re.compile(
    r"[-+]?(?:[\d_]*\.?[\d_]*(?:e[-+]?\d*)?|[\d_]+(?::\d+)+(?:\.[\d_]*)?|0x[\da-f_]+|0o[0-7_]+|0b[01_]+"
    r"|\.(?:inf|nan))|\d+-\d+-\d+.*|[<=]+",
    re.IGNORECASE,
)
_UNPRINTABLE = re.compile("[\\x7f-\\x9f\\u2028\\u2029\\ufeff\\ufffe\\uffff]")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


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
    if isinstance(value, str) and _is_plain(value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _is_plain(text: str) -> bool:
    known = text.lower() in _WORDS or _OTHER.fullmatch(text)
    return bool(_PLAIN.match(text)) and not known
