"""The checks that exist, found by importing every module of the tier packages; and choosing among them."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from installer.errors import UsageError
from installer.suggest import did_you_mean
from installer.verify.check import Check

AREAS = (
    "api",
    "runtime",
    "node",
    "image",
    "pod",
    "container",
    "log",
    "stats",
    "stream",
    "host",
    "daemon",
    "cluster",
)
"""The order in which areas run and are shown: a failure is met where it starts, not where it hurts."""

_PACKAGES = tuple(f"installer.verify.tier{tier}" for tier in (0, 1, 2, 3))


def select(
    tiers: Sequence[int], patterns: Sequence[str] = (), *, disruptive: bool = False
) -> tuple[Check, ...]:
    """The checks to run, in order. Patterns are ids or shell globs (``image.*``) and choose in any tier.

    Raises UsageError for a pattern that matches nothing.
    """
    checks = all_checks()
    for pattern in patterns:
        if not any(fnmatchcase(each.id, pattern) for each in checks):
            hint = did_you_mean(pattern, [each.id for each in checks])
            raise UsageError(
                f"no check is called {pattern!r}.{hint}", fix="list them with: nodestrap verify --list"
            )
    if patterns:
        return tuple(each for each in checks if any(fnmatchcase(each.id, pattern) for pattern in patterns))
    return tuple(each for each in checks if each.tier in tiers and (disruptive or not each.disruptive))


@lru_cache(maxsize=1)
def all_checks() -> tuple[Check, ...]:
    """Every check, ordered by tier, then area, then id. Raises ValueError when two share an id."""
    found = sorted(_discover(), key=_order)
    for one, other in itertools.pairwise(found):
        if one.id == other.id:
            raise ValueError(f"two checks are called {one.id}")
    return tuple(found)


def _order(each: Check) -> tuple[int, bool, int, bool, bool, str]:
    area = each.id.partition(".")[0]
    if area not in AREAS:
        raise ValueError(f"check {each.id}: the area {area!r} is not in catalogue.AREAS")
    # Those that come after: by name, so that host.leaks still has the image that image.remove takes away.
    place = 0 if each.after else AREAS.index(area)
    return each.tier, each.after, place, not each.gate, not each.first, each.id


def _discover() -> Iterable[Check]:
    for name in _PACKAGES:
        try:
            package = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue  # a tier without checks yet
        for module in pkgutil.iter_modules(package.__path__, name + "."):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Check) and value.run.__module__ == module.name:
                    yield value
