"""``nodestrap kubeconfig``: the cluster's administrator credentials, for kubectl on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from installer.commands._cluster_options import ClusterOptions, cluster_options, private_workdir, read_spec
from installer.errors import ConnectError, UsageError
from installer.options import current

if TYPE_CHECKING:
    from installer.cluster.spec import ClusterSpec

ADMIN_CONF = "/etc/kubernetes/admin.conf"


@click.command("kubeconfig")
@cluster_options
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Put it into this file; - prints it.  [default: the first of $KUBECONFIG, or ~/.kube/config]",
)
@click.option("--name", metavar="NAME", help="Call cluster and context this.  [default: the cluster's name]")
@click.option("--server", metavar="URL", help="The API server's URL, where it is another one from here.")
@click.option("--keep-context", is_flag=True, help="Leave the file's current context as it is.")
def command(
    output: str | None, name: str | None, server: str | None, keep_context: bool, **options: Any
) -> int:
    """Fetch admin.conf from the first control plane that has one, and put it into a kubeconfig.

    A file that is there already keeps its other clusters, users and contexts; it is written whole, for its
    owner alone (0600). The new context becomes the current one, unless --keep-context says otherwise.
    """
    from installer import kubeconfig
    from installer.logs import default_log_file, log_to_file

    with private_workdir() as workdir:
        spec = read_spec(ClusterOptions(**options), workdir)
        log_file = current().log_file or default_log_file(spec.state_dir, "kubeconfig")
        with log_to_file(log_file, spec.secrets):
            host, admin_conf = _fetch(spec, workdir)
    name = name or spec.name
    new = kubeconfig.renamed(admin_conf, name, server)
    if output == "-":
        click.echo(kubeconfig.text(new), nl=False)
        return 0
    path = Path(output).expanduser() if output else kubeconfig.default_path()
    try:
        existing = path.read_text() if path.exists() else ""
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", fix="choose another --output") from error
    kubeconfig.write(kubeconfig.merged(existing, new, path, switch=not keep_context), path)
    if current().json:
        click.echo(json.dumps({"path": str(path), "context": name, "host": host}))
    elif current().verbosity >= 0:
        click.echo(f"{path}: context {name}, from {host}")
    return 0


def _fetch(spec: ClusterSpec, workdir: Path) -> tuple[str, str]:
    """The host that had it, and its text. Raises ConnectError where no control plane answers with one."""
    from installer.ssh.connection import connect
    from installer.ssh.openssh import write_config

    control_planes = [host for host in spec.hosts if host.is_control_plane]
    if not control_planes:
        raise UsageError("there is no control plane among these hosts", step="kubeconfig")
    spec.known_hosts_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = write_config(workdir / "ssh_config", spec.known_hosts_file, pin_bastions=True)
    complaints, fix = [], None
    for host in control_planes:
        try:
            with connect(host.name, host.connection, spec.known_hosts_file, config) as connection:
                answer = connection.run(["cat", ADMIN_CONF], timeout=30)
        except ConnectError as error:
            complaints.append(f"{host.name}: {error.reason}")
            fix = fix or error.fix
            continue
        if answer.status == 0:
            return host.name, answer.stdout.decode()
        complaints.append(f"{host.name}: {answer.stderr.decode(errors='replace').strip()}")
        fix = fix or "run `nodestrap up` first: it makes the cluster"
    raise ConnectError("; ".join(complaints), step="kubeconfig", fix=fix)
