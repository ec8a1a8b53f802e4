"""How a verb runs a plan on an inventory: lock, log, journal, progress, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from installer.cluster.spec import ClusterSpec
from installer.commands._cluster_options import ClusterOptions, private_workdir, read_spec
from installer.options import current

if TYPE_CHECKING:
    from installer.phases.base import Phase
    from installer.report import Report
    from installer.run import Run


@dataclass(frozen=True)
class Done:
    """A run that came to its end."""

    report: Report
    run: Run
    log_file: Path


def run_on_inventory(
    plan: Sequence[Phase],
    command: str,
    options: ClusterOptions,
    *,
    check: bool = False,
    choose_hosts: Callable[[ClusterSpec], ClusterSpec] = lambda spec: spec,
    confirm: Callable[[ClusterSpec], None] = lambda _spec: None,
    **settings: Any,
) -> Done:
    """Read the inventory, take the cluster's lock, run the plan, journal it unless it only looks.

    ``confirm`` may end it before anything is contacted; ``settings`` are further fields of Run. Raises
    NodestrapError.
    """
    # Here, not above: `--help` and shell completion import none of it.
    from installer import manager
    from installer.journal import Journal
    from installer.lock import cluster_lock
    from installer.logs import default_log_file, log_to_file
    from installer.progress import choose
    from installer.run import Run

    with private_workdir() as workdir:
        full = read_spec(options, workdir)
        spec = choose_hosts(full)
        confirm(spec)
        log_file = current().log_file or default_log_file(spec.state_dir, command)
        with cluster_lock(spec.state_dir), log_to_file(log_file, spec.secrets):
            journal = None if check else Journal(spec.state_dir)
            try:
                with choose(current()) as progress:
                    run = Run(
                        spec=spec,
                        progress=progress,
                        workdir=workdir,
                        check=check,
                        journal=journal,
                        everyone=full.hosts,
                        verbosity=current().verbosity,
                        **settings,
                    )
                    report = manager.run_plan(plan, run, journal, command)
            finally:
                if journal is not None:
                    journal.close()
    return Done(report, run, log_file)
