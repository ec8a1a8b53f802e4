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
    ("--burst", 50, "Pods asked for at once (three rounds)."),
    ("--containers", 1000, "Created containers that ListContainers sees."),
    ("--sandboxes", 1000, "Stopped sandboxes that ListPodSandbox sees."),
    ("--stats-pods", 100, "Running containers for statistics, memory and idle CPU."),
    ("--pulls", 5, "Pulls of each image."),
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
@click.option("--pull-image", multiple=True, help="What is pulled, instead of --image; several are fine.")
@click.option(
    "--process",
    type=int,
    multiple=True,
    help="Pid of a process, besides the one that listens, that belongs to --endpoint (pycri-io).",
)
@_plan_options
def command(
    endpoint: str,
    against: str,
    image: str,
    pull_image: tuple[str, ...],
    process: tuple[int, ...],
    **plan: int,
) -> int:
    """Time both CRI endpoints in turn and print the medians and their ratio.

    Meant for a node without workloads: it runs and removes pods on both endpoints, hundreds of them.
    """
    from installer.bench import run
    from installer.bench.cases import Side
    from installer.bench.resources import listener
    from installer.verify.endpoint import normalise

    options = current()
    progress = Console(stderr=True, no_color=not options.color, quiet=options.verbosity < 0)
    targets = (normalise(endpoint), normalise(against))
    found = [[pid] if (pid := listener(target)) else [] for target in targets]
    sides = (Side(0, targets[0], image, [*found[0], *process]), Side(1, targets[1], image, found[1]))
    what = run.Plan(**plan, pull_images=pull_image)
    samples = run.measure(sides, what, lambda text: progress.print(text, style="dim"))
    rows = samples.rows()
    if options.json:
        click.echo(json.dumps([_as_dict(row) for row in rows]))
    else:
        print_table(rows, (endpoint, against), Console(no_color=not options.color))
    return 0


def print_table(rows: Sequence[Row], names: tuple[str, str], console: Console) -> None:
    """Medians, the ratio, and what the budget allows: a ratio, or (with its unit) a value."""
    console.print(f"{names[0]} against {names[1]}")
    table = Table()
    table.add_column("step")
    for head in ("median", "against", "ratio", "bar", "n"):
        table.add_column(head, justify="right")
    for row in rows:
        style = {None: "", True: "green", False: "red"}[row.met]
        bar = "" if row.bar is None else f"{row.bar:.2f}"
        table.add_row(
            row.step,
            _shown(row.ours, row.unit),
            _shown(row.theirs, row.unit),
            f"{row.ratio:.2f}",
            bar if row.limit is None else _shown(row.limit, row.unit),
            str(row.samples),
            style=style,
        )
    console.print(table)


def _shown(value: float, unit: str) -> str:
    return f"{value * 1000:.1f} ms" if unit == "s" else f"{value:.1f} {unit.split()[0]}"


def _as_dict(row: Row) -> dict[str, Any]:
    extra = {"ratio": row.ratio, "bar": row.bar, "limit": row.limit, "met": row.met}
    return {**dataclasses.asdict(row), **extra}
