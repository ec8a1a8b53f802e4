"""``nodestrap join``: hosts into a cluster that is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from installer.commands._choose import named_hosts, only
from installer.commands._cluster_options import ClusterOptions, cluster_options
from installer.commands._run import run_on_inventory
from installer.errors import UsageError
from installer.options import current

if TYPE_CHECKING:
    from installer.cluster.spec import ClusterSpec
    from installer.control_plane.access import Access


@click.command("join")
@named_hosts
@cluster_options
@click.option("--check", is_flag=True, help="Change nothing on the hosts; say what would change.")
@click.option("--skip-check", multiple=True, metavar="NAME", help="Leave a preflight check out, by name.")
@click.option(
    "--token",
    envvar="NODESTRAP_JOIN_TOKEN",
    metavar="TOKEN",
    help="A bootstrap token of somebody else's cluster. Better in $NODESTRAP_JOIN_TOKEN.",
)
@click.option(
    "--ca-cert-hash",
    "hashes",
    multiple=True,
    metavar="sha256:HEX",
    help="The hash of its CA's key, as `kubeadm token create --print-join-command` prints it.",
)
@click.option("--endpoint", metavar="HOST:PORT", help="Its API server.")
@click.option(
    "--discovery-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A kubeconfig with its API server and CA, in the place of --endpoint and --ca-cert-hash.",
)
@click.option(
    "--certificate-key",
    envvar="NODESTRAP_CERTIFICATE_KEY",
    metavar="HEX",
    help="For control planes: `kubeadm init phase upload-certs --upload-certs` prints it.",
)
def command(
    hosts: tuple[str, ...],
    check: bool,
    skip_check: tuple[str, ...],
    token: str | None,
    hashes: tuple[str, ...],
    endpoint: str | None,
    discovery_file: Path | None,
    certificate_key: str | None,
    **options: Any,
) -> int:
    """Make nodes of HOST..., bare or not, in a cluster that is there.

    A cluster of this inventory: the hosts and one of its control planes are contacted, no other. The control
    plane gives a token, which ends with the run, and is not changed otherwise.

    \b
    Somebody else's cluster: none of its hosts is contacted over SSH. Give either
      --token, --endpoint and --ca-cert-hash, or
      --discovery-file, and --token unless the file holds one.
    """
    from installer import plans
    from installer.output import print_report
    from installer.preflight.matrix import check_names

    check_names(skip_check)
    discovery = discovery_file.read_text() if discovery_file else None
    access = _access(token, endpoint, hashes, discovery, certificate_key)
    done = run_on_inventory(
        plans.JOIN if access is None else plans.JOIN_FOREIGN,
        "join",
        ClusterOptions(**options),
        check=check,
        choose_hosts=_chooser(hosts, access),
        skip_checks=skip_check,
        access=access,
        discovery_file=discovery,
    )
    print_report(done.report, done.log_file, current())
    return done.report.exit_code


def _access(
    token: str | None, endpoint: str | None, hashes: tuple[str, ...], discovery: str | None, key: str | None
) -> Access | None:
    """The way into somebody else's cluster; None when none is given. Raises UsageError for half of one."""
    from installer.control_plane.access import Access
    from installer.kubeadm.settings import Discovery, Secrets
    from installer.phases.foreign import DISCOVERY_FILE

    if not (token or endpoint or hashes or discovery or key):
        return None
    if discovery is not None:
        if endpoint or hashes:
            raise UsageError("--discovery-file takes the place of --endpoint and --ca-cert-hash: give one")
        found, file_token = read_discovery(discovery)
        token = token or file_token
        way = Discovery(ca_cert_hashes=found, file=DISCOVERY_FILE)
    else:
        if not (endpoint and hashes):
            raise UsageError(
                "somebody else's cluster is joined with --token, --endpoint and --ca-cert-hash",
                fix="`kubeadm token create --print-join-command` on a control plane prints all three",
            )
        way = Discovery(endpoint, hashes)
    if not token:
        raise UsageError("--token is missing", fix="`kubeadm token create` on a control plane makes one")
    return Access(Secrets(token, key), way)


def read_discovery(text: str) -> tuple[tuple[str, ...], str | None]:
    """The hash of the CA in a discovery file, and a token, where it holds one. Raises UsageError."""
    import base64

    import yaml

    from installer.control_plane.ca_hash import ca_hash
    from installer.errors import ClusterError

    try:
        document = yaml.safe_load(text)
        authority = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"])
        users = document.get("users") or [{}]
        token = (users[0].get("user") or {}).get("token")
        return (ca_hash(authority),), token
    except (yaml.YAMLError, KeyError, IndexError, TypeError, ValueError, ClusterError) as error:
        raise UsageError(
            f"the discovery file is no kubeconfig with a CA in it: {error}",
            fix="`kubectl -n kube-public get cm cluster-info -o jsonpath={.data.kubeconfig}` prints one",
        ) from error


def _chooser(hosts: tuple[str, ...], access: Access | None) -> Any:
    def choose(spec: ClusterSpec) -> ClusterSpec:
        chosen = only(hosts)(spec)
        if access is None:
            return chosen
        if any(host.is_control_plane for host in chosen.hosts) and access.secrets.certificate_key is None:
            raise UsageError(
                "a control plane joins somebody else's cluster with --certificate-key, too",
                fix="`kubeadm init phase upload-certs --upload-certs` on a control plane prints it",
            )
        secret = {access.secrets.token, access.secrets.certificate_key or access.secrets.token}
        return replace(chosen, secrets=chosen.secrets | secret)

    return choose
