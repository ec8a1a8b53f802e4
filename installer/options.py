"""The global options, understood before and after the verb: ``nodestrap --json up``, ``nodestrap up
--json``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

_META_KEY = "nodestrap.options"


@dataclass(frozen=True)
class GlobalOptions:
    """What every command honours: how much to say, in which form, and where the full log goes."""

    verbosity: int = 0  # -1 quiet, 0 normal, 1 every step, 2 and more Ansible's own -v levels
    json: bool = False
    color: bool = True
    log_file: Path | None = None


def current() -> GlobalOptions:
    """The options of the running command (the defaults outside of one)."""
    context = click.get_current_context(silent=True)
    return GlobalOptions() if context is None else context.meta.get(_META_KEY, GlobalOptions())


def global_options() -> list[click.Option]:
    """Fresh Click options for one command; each stores into the context, none is the function's parameter."""

    def option(
        names: list[str], apply: Callable[[GlobalOptions, Any], GlobalOptions], **kwargs: Any
    ) -> click.Option:
        def store(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
            if value:  # an option left out here must not undo one given before the verb
                context.meta[_META_KEY] = apply(context.meta.get(_META_KEY, GlobalOptions()), value)

        return click.Option(names, expose_value=False, callback=store, **kwargs)

    return [
        option(
            ["-v", "--verbose"],
            lambda options, count: replace(options, verbosity=count),
            count=True,
            help="Say every step; repeat for Ansible's own detail.",
        ),
        option(
            ["-q", "--quiet"],
            lambda options, _: replace(options, verbosity=-1),
            is_flag=True,
            help="Say only the result and errors.",
        ),
        option(
            ["--json"],
            lambda options, _: replace(options, json=True),
            is_flag=True,
            help="Print one JSON document as the result.",
        ),
        option(
            ["--no-color"],
            lambda options, _: replace(options, color=False),
            is_flag=True,
            help="No colours and no live display (NO_COLOR is honoured too).",
        ),
        option(
            ["--log-file"],
            lambda options, path: replace(options, log_file=path),
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Write the full log here instead of the state directory.",
        ),
    ]
