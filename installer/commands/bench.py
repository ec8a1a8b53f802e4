"""``nodestrap bench``: measure a CRI endpoint against another one in the same run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from installer.bench.samples import Row
from installer.options import current

_PLAN_OPTIONS = (
    ("--pods", 30, "Pods run one at a time."),
    ("--burst", 20, "Pods asked for at once (three rounds)."),
    ("--containers", 1000, "Created containers that the list calls see."),
    ("--stats-pods", 20, "Running containers that the stats calls see."),
    ("--pulls", 5, "Image pulls."),
    ("--log-megabytes", 100, "Written by one container at full speed, in three rounds."),
)


def _plan_options(function: Any) -> Any:
    for name, default, text in reversed(_PLAN_OPTIONS):
        option = click.option(
            name, type=click.IntRange(min=0), default=default, show_default=True, help=f"{text} 0: left out."
        )
        function = option(function)
    return function


@click.command()
@click.option(
    "--endpoint", default="unix:///run/pycri/pycri.sock", show_default=True, help="The one measured."
)
@click.option(
    "--against",
    default="unix:///run/containerd/containerd.sock",
    show_default=True,
    help="The one it is compared with.",
)
@click.option("--image", default="registry.k8s.io/e2e-test-images/busybox:1.29-4", show_default=True)
@_plan_options
def command(endpoint: str, against: str, image: str, **plan: int) -> int:
    """Time both CRI endpoints in turn and print the medians and their ratio.

    Meant for a node without workloads: it runs and removes pods on both endpoints, hundreds of them.
    """
    from installer.bench import run
    from installer.bench.cases import Side
    from installer.verify.endpoint import normalise

    options = current()
    progress = Console(stderr=True, no_color=not options.color, quiet=options.verbosity < 0)
    sides = (Side(0, normalise(endpoint), image), Side(1, normalise(against), image))
    samples = run.measure(sides, run.Plan(**plan), lambda text: progress.print(text, style="dim"))
    rows = samples.rows()
    if options.json:
        click.echo(json.dumps([_as_dict(row) for row in rows]))
    else:
        print_table(rows, (endpoint, against), Console(no_color=not options.color))
    return 0


def print_table(rows: Sequence[Row], names: tuple[str, str], console: Console) -> None:
    """Medians in milliseconds, the ratio, and the bar where there is one."""
    console.print(f"{names[0]} against {names[1]}")
    table = Table()
    table.add_column("step")
    for head in ("median ms", "against ms", "ratio", "bar", "n"):
        table.add_column(head, justify="right")
    for row in rows:
        style = {None: "", True: "green", False: "red"}[row.met]
        table.add_row(
            row.step,
            f"{row.ours * 1000:.1f}",
            f"{row.theirs * 1000:.1f}",
            f"{row.ratio:.2f}",
            "" if row.bar is None else f"{row.bar:.2f}",
            str(row.samples),
            style=style,
        )
    console.print(table)


def _as_dict(row: Row) -> dict[str, Any]:
    return {**dataclasses.asdict(row), "ratio": row.ratio, "bar": row.bar, "met": row.met}
