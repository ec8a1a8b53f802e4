"""``nodestrap up``: bare hosts to nodes."""

from __future__ import annotations

from typing import Any

import click

from installer.commands._cluster_options import ClusterOptions, cluster_options, private_workdir, read_spec
from installer.options import current


@click.command("up")
@cluster_options
@click.option(
    "--until",
    type=click.Choice(["connect", "preflight", "artifacts", "runtime"]),
    help="Stop after this phase. Without it: everything this version can do, which is up to `runtime`.",
)
@click.option("--check", is_flag=True, help="Change nothing on the hosts; say what would change.")
@click.option("--skip-check", multiple=True, metavar="NAME", help="Leave a preflight check out, by name.")
def command(until: str | None, check: bool, skip_check: tuple[str, ...], **options: Any) -> int:
    """Turn the inventory's hosts into nodes with a container runtime.

    \b
    connect    SSH to all hosts at once, host keys pinned on first contact
    preflight  every check on every host, all failures at once, each with its fix
    artifacts  release files into the controller's cache, checksums verified
    runtime    roles os_prepare, containerd, cni_plugins and pycri; then the CRI endpoint
               answers for itself (verify's tier T0)

    This version ends there: it does not run kubeadm. Run again at any time; a host that is as it should be is
    left alone.
    """
    from installer import manager, plans
    from installer.journal import Journal
    from installer.lock import cluster_lock
    from installer.logs import default_log_file, log_to_file
    from installer.output import print_report
    from installer.preflight.matrix import check_names
    from installer.progress import choose
    from installer.run import Run

    check_names(skip_check)
    plan = manager.until(plans.UP, until)
    with private_workdir() as workdir:
        spec = read_spec(ClusterOptions(**options), workdir)
        log_file = current().log_file or default_log_file(spec.state_dir, "up")
        with cluster_lock(spec.state_dir), log_to_file(log_file, spec.secrets):
            journal = None if check else Journal(spec.state_dir)
            try:
                with choose(current()) as progress:
                    run = Run(
                        spec=spec,
                        progress=progress,
                        workdir=workdir,
                        check=check,
                        skip_checks=skip_check,
                        verbosity=current().verbosity,
                    )
                    report = manager.run_plan(plan, run, journal, "up")
            finally:
                if journal is not None:
                    journal.close()
    print_report(report, log_file, current())
    return report.exit_code
