"""``nodestrap plan``: what ``up`` would change."""

from __future__ import annotations

from typing import Any

import click

from installer.commands._cluster_options import ClusterOptions, cluster_options
from installer.commands._run import run_on_inventory
from installer.options import current


@click.command("plan")
@cluster_options
@click.option("--until", metavar="PHASE", help="Only up to this phase, as `up --until`.")
@click.option("--skip-check", multiple=True, metavar="NAME", help="Leave a preflight check out, by name.")
def command(until: str | None, skip_check: tuple[str, ...], **options: Any) -> int:
    """Say what `up` would change on each host: packages, files, units, kernel settings. Changes nothing.

    Works on bare hosts, too. What is listed is what `up` then reports as changed, by name. Hosts with the
    same changes are told together; --json has each host's own list. Code 0: nothing stands in the way of
    `up`.
    """
    from installer import plans
    from installer.output import print_report
    from installer.plan_output import print_plan
    from installer.preflight.matrix import check_names

    check_names(skip_check)
    done = run_on_inventory(
        plans.up_to(until), "plan", ClusterOptions(**options), check=True, skip_checks=skip_check
    )
    if not current().json:
        print_plan(done.report, current())
    print_report(done.report, done.log_file, current())
    return done.report.exit_code
