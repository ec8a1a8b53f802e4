"""``nodestrap reset``: hosts back to what they were."""

from __future__ import annotations

from typing import Any

import click

from installer.commands._cluster_options import ClusterOptions, cluster_options
from installer.commands._confirm import confirmation
from installer.commands._run import run_on_inventory
from installer.options import current


@click.command("reset")
@cluster_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--check", is_flag=True, help="Change nothing on the hosts; say what would change.")
def command(yes: bool, check: bool, **options: Any) -> int:
    """Take everything that nodestrap put on the hosts away again, and restore what it changed.

    \b
    leave   kubeadm reset, where a host is a member of a cluster
    pods    every pod stopped and removed, its network and volumes with it
    reset   services, files, packages, data, kernel settings: by the receipts on the host
    ssh     a new connection still gets in

    The packet filter is never flushed: chains of Kubernetes, CNI and nodestrap go one by one. What cannot be
    taken back is listed as remaining. Cut short, run it again: it goes on. For a node of a cluster that
    lives on, use `nodestrap remove`, which drains it first.
    """
    from installer import plans
    from installer.output import print_report
    from installer.plan_output import print_plan

    done = run_on_inventory(
        plans.RESET,
        "reset",
        ClusterOptions(**options),
        check=check,
        confirm=confirmation(
            "These hosts lose their pods, the pods' data, and all that nodestrap installed", yes=yes or check
        ),
    )
    if not current().json:
        print_plan(done.report, current(), only=None if check else "remaining")
    print_report(done.report, done.log_file, current())
    return done.report.exit_code
