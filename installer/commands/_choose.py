"""Hosts that are named on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import click

from installer.cluster.spec import ClusterSpec
from installer.errors import InventoryError
from installer.suggest import did_you_mean


def named_hosts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument HOST…; the function gets ``hosts``."""
    return click.argument("hosts", nargs=-1, required=True, metavar="HOST...")(function)


def only(names: Sequence[str]) -> Callable[[ClusterSpec], ClusterSpec]:
    """A ``choose_hosts`` for run_on_inventory that keeps these hosts. Raises InventoryError for others."""

    def choose(spec: ClusterSpec) -> ClusterSpec:
        known = {host.name: host for host in spec.hosts}
        for name in names:
            if name not in known:
                raise InventoryError(
                    f"the inventory has no host {name!r} in control_plane or workers."
                    f"{did_you_mean(name, known)}",
                    step="inventory",
                    fix="put it into one of the two groups",
                )
        return replace(spec, hosts=tuple(known[name] for name in dict.fromkeys(names)), unmatched=())

    return choose
