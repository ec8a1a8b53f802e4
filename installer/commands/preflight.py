"""``nodestrap preflight``: can these hosts become nodes?"""

from __future__ import annotations

import sys
from typing import Any

import click

from installer.commands._cluster_options import ClusterOptions, cluster_options, private_workdir, read_spec
from installer.options import current


@click.command("preflight")
@cluster_options
@click.option("--skip-check", multiple=True, metavar="NAME", help="Leave a check out, by name.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, wanted: _list(context, wanted),
    help="Name the checks and end.",
)
def command(skip_check: tuple[str, ...], **options: Any) -> int:
    """Run every check on every host, over SSH, without changing anything.

    All failures are said at once, each with its fix. Errors end with code 4, unreachable hosts with 3;
    warnings with 0.
    """
    from installer import manager, plans
    from installer.logs import default_log_file, log_to_file
    from installer.output import print_matrix, print_report
    from installer.preflight.matrix import check_names
    from installer.progress import choose
    from installer.run import Run

    check_names(skip_check)
    with private_workdir() as workdir:
        spec = read_spec(ClusterOptions(**options), workdir)
        log_file = current().log_file or default_log_file(spec.state_dir, "preflight")
        with log_to_file(log_file, spec.secrets), choose(current()) as progress:
            run = Run(spec=spec, progress=progress, workdir=workdir, take_locks=False, skip_checks=skip_check)
            report = manager.run_plan(plans.PREFLIGHT, run, None, "preflight")
    if not current().json:
        print_matrix(run.checks, current())
    print_report(report, log_file, current(), checks=run.checks)
    return report.exit_code


def _list(context: click.Context, wanted: bool) -> None:
    if not wanted:
        return
    from installer.preflight.matrix import CHECKS

    for name, check in CHECKS.items():
        purpose = (sys.modules[check.__module__].__doc__ or "").strip().partition("\n")[0]
        click.echo(f"{name:13} {purpose}")
    context.exit()
