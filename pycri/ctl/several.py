"""The same for each of several objects: one that fails does not keep the others from their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pycri.ctl.errors import CtlError


def each(names: Iterable[str], action: Callable[[str], None]) -> None:
    """Do it for every name. Raises CtlError at the end, with a line for each failure."""
    failures = []
    for name in names:
        try:
            action(name)
        except CtlError as error:  # noqa: PERF203 - a call to the runtime dwarfs it
            failures.append(f"{name}: {error}")
    if failures:
        raise CtlError("\n".join(failures))
