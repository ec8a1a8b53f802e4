"""What an endpoint is known not to have: named, so that it is skipped with its reason and nothing else is.

An RPC that came after the endpoint says so itself (UNIMPLEMENTED). A field that came after it is silently
ignored; those gaps are containerd's own CRI's, by version.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from installer.verify.check import NotApplicable
from installer.verify.client import CriError

if TYPE_CHECKING:
    from installer.verify.context import Context

EVERY = (1000, 0)
"""For ``containerd_gap``: no version so far has it."""


def answered(call: Callable[[Any], Any], request: Any, *, since: str) -> Any:
    """The answer of an RPC that came with CRI `since`. Raises NotApplicable when unknown, CriError."""
    try:
        return call(request)
    except CriError as error:
        raise _older(error, since) from error


def all_answers(call: Callable[[Any], Any], request: Any, *, since: str) -> list[Any]:
    """Every message of a streaming RPC that came with CRI `since`. Raises NotApplicable, CriError."""
    try:
        return list(call(request))
    except CriError as error:
        raise _older(error, since) from error


def _older(error: CriError, since: str) -> Exception:
    if error.code == "UNIMPLEMENTED":
        return NotApplicable(f"the endpoint has no {error.method}, which came with CRI {since}")
    return error


def containerd_gap(ctx: Context, what: str, *, before: tuple[int, int]) -> None:
    """Raise NotApplicable when the endpoint is containerd's own CRI, older than `before` (major, minor)."""
    name, version = ctx.session.runtime.get()
    if name == "containerd" and version < before:
        raise NotApplicable(f"containerd {version[0]}.{version[1]} {what}")


def version_of(text: str) -> tuple[int, int]:
    """(major, minor) of ``v2.1.9``, ``1.6.20~ds1``; (0, 0) for anything else."""
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
