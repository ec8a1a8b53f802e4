"""WWW-Authenticate challenges (RFC 9110, section 11.6.1), as registries send them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"\s*({_TOKEN})(?=\s|,|$)\s*")
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}[^\s,"]*))\s*')
_MAX_HEADER = 8192


@dataclass(frozen=True)
class Challenge:
    """``scheme`` and parameter names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse(headers: Iterable[str]) -> list[Challenge]:
    """The challenges in the header's lines, in order; what cannot be read is left out."""
    found: list[Challenge] = []
    for header in headers:
        rest = header[:_MAX_HEADER]
        while rest:
            parameter = _PARAMETER.match(rest)
            scheme = None if parameter else _SCHEME.match(rest)
            if parameter and found:
                name, quoted, bare = parameter.groups()
                value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
                found[-1].parameters.setdefault(name.lower(), value)
                rest = rest[parameter.end() :].lstrip(", \t")
            elif scheme:
                found.append(Challenge(scheme[1].lower()))
                rest = rest[scheme.end() :].lstrip(", \t")
            else:
                break
    return found
