"""``nodestrap status``: how every host is."""

from __future__ import annotations

import json
from typing import Any

import click

from installer.commands._cluster_options import ClusterOptions, cluster_options, private_workdir, read_spec
from installer.errors import EXIT_OK
from installer.options import current


@click.command("status")
@cluster_options
def command(**options: Any) -> int:
    """Show how far each host is, in which versions, and how it is.

    \b
    ready     a node of the cluster, and the cluster finds it ready
    runtime   a container runtime that answers; not joined
    bare      nothing of nodestrap's is on it
    sick      something does not run, or is not ready: it says what
    down      it cannot be reached; what the journal last said of it is shown

    Changes nothing and works beside a run of another verb. Code 0: no host is sick or down; 3: one is down;
    7: a runtime is sick; 10: a node is not ready.
    """
    from rich.console import Console

    from installer import journal, manager
    from installer.kubeadm.from_inventory import node_name
    from installer.logs import default_log_file, log_to_file
    from installer.phases.connect import Connect
    from installer.phases.look import Look
    from installer.progress import choose
    from installer.run import Run
    from installer.status.judge import as_dict, judge, last_runs
    from installer.status.table import print_status

    look = Look()
    with private_workdir() as workdir:
        spec = read_spec(ClusterOptions(**options), workdir)
        log_file = current().log_file or default_log_file(spec.state_dir, "status")
        with log_to_file(log_file, spec.secrets), choose(current()) as progress:
            run = Run(spec=spec, progress=progress, workdir=workdir, take_locks=False)
            manager.run_plan((Connect(), look), run, None, "status")
    remembered = last_runs(journal.read(spec.state_dir / "journal.jsonl"))
    hosts, codes = [], []
    for host in spec.hosts:
        status = look.statuses[host.name]
        verdict = judge(status, node_name(host), look.cluster)
        role = "control plane" if host.is_control_plane else "worker"
        hosts.append(as_dict(host.name, role, status, verdict, remembered.get(host.name)))
        codes.append(verdict.exit_code)
    code = min((each for each in codes if each != EXIT_OK), default=EXIT_OK)
    if current().json:
        document = {
            "cluster": spec.name,
            "exit_code": code,
            "server_version": look.cluster.server_version,
            "hosts": hosts,
        }
        click.echo(json.dumps(document, indent=2))
    else:
        console = Console(no_color=not current().color, highlight=False)
        if not console.is_terminal:
            console.width = 200  # in a file or a pipe a line stays a line
        print_status(hosts, console)
    return code
