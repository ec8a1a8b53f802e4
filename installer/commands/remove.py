"""``nodestrap remove``: nodes out of their cluster, and their hosts reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from installer.commands._choose import named_hosts, only
from installer.commands._cluster_options import ClusterOptions, cluster_options
from installer.commands._confirm import confirmation
from installer.commands._run import run_on_inventory
from installer.errors import UsageError
from installer.options import current

if TYPE_CHECKING:
    from installer.cluster.spec import ClusterSpec


@click.command("remove")
@named_hosts
@cluster_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--check", is_flag=True, help="Change nothing; say what would change.")
@click.option("--force", is_flag=True, help="Also pods that nothing would start again elsewhere.")
@click.option(
    "--drain-timeout", type=click.FloatRange(1), default=300.0, show_default=True, metavar="SECONDS"
)
@click.option("--gone", is_flag=True, help="The hosts are gone for good: only delete their nodes.")
def command(
    hosts: tuple[str, ...],
    yes: bool,
    check: bool,
    force: bool,
    drain_timeout: float,
    gone: bool,
    **options: Any,
) -> int:
    """Take HOST... out of their cluster, and reset them.

    \b
    drain   pods moved elsewhere, as their disruption budgets allow
    leave   kubeadm reset: on a control plane the etcd member leaves, too
    delete  the node is deleted
    reset   all that nodestrap put on the host is taken away (see `nodestrap reset`)

    Contacted are the hosts and one control plane that stays. Cut short, run it again: it goes on.
    """
    from installer import plans
    from installer.output import print_report
    from installer.plan_output import print_plan

    question = "These nodes leave their cluster" + ("" if gone else "; their hosts are reset, data included")
    done = run_on_inventory(
        plans.REMOVE_GONE if gone else plans.REMOVE,
        "remove",
        ClusterOptions(**options),
        check=check,
        choose_hosts=_choose(hosts),
        confirm=confirmation(question, yes=yes or check),
        force=force,
        drain_timeout=drain_timeout,
    )
    if not current().json:
        print_plan(done.report, current(), only=None if check else "remaining")
    print_report(done.report, done.log_file, current())
    return done.report.exit_code


def _choose(hosts: tuple[str, ...]) -> Any:
    def choose(spec: ClusterSpec) -> ClusterSpec:
        chosen = only(hosts)(spec)
        left = [host.name for host in spec.hosts if host.is_control_plane and host.name not in hosts]
        if not left:
            raise UsageError(
                "no control plane would be left to take them out of the cluster",
                fix="to take the whole cluster down, use `nodestrap reset`",
            )
        return chosen

    return choose
