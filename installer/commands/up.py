"""``nodestrap up``: bare hosts to nodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from installer.cluster.spec import ClusterSpec
from installer.commands._cluster_options import ClusterOptions, cluster_options
from installer.commands._run import run_on_inventory
from installer.errors import UsageError
from installer.options import current

_PHASES = ("connect", "preflight", "artifacts", "runtime", "kubernetes", "init", "join", "network", "verify")


@click.command("up")
@cluster_options
@click.option(
    "--until",
    type=click.Choice(_PHASES),
    help="Stop after this phase. Up to `runtime`, nothing of Kubernetes is installed or asked for.",
)
@click.option("--check", is_flag=True, help="Change nothing on the hosts; say what would change.")
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take everything from this bundle: release files, images, wheels and OS packages.",
)
@click.option(
    "--bundle-key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Use the bundle only if this public key (or one of an allowed_signers file) has signed it.",
)
@click.option("--skip-check", multiple=True, metavar="NAME", help="Leave a preflight check out, by name.")
def command(
    until: str | None,
    check: bool,
    bundle: Path | None,
    bundle_key: Path | None,
    skip_check: tuple[str, ...],
    **options: Any,
) -> int:
    """Turn the inventory's hosts into a Kubernetes cluster.

    \b
    connect    SSH to all hosts at once, host keys pinned on first contact
    preflight  every check on every host, all failures at once, each with its fix
    artifacts  release files into the controller's cache, checksums verified
    runtime    roles os_prepare, containerd, cni_plugins and pycri; then the CRI endpoint
               answers for itself (verify's tier T0)
    kubernetes kubeadm, kubelet, kubectl, images, the pod network's agent
    init       the first control plane: kubeadm init
    join       further control planes, then workers: kubeadm join
    network    the pod network; every node becomes ready
    verify     each endpoint (T0) and the cluster (T3) are proved by using them

    Run again at any time: a host that is as it should be is left alone, and a run that was cut short is taken
    up where it ended.
    """
    from installer import plans
    from installer.output import print_report
    from installer.preflight.matrix import check_names

    check_names(skip_check)
    directory: Path | None = None
    choose_hosts: Callable[[ClusterSpec], ClusterSpec] = _as_they_are
    if bundle is not None:
        from installer.bundle.use import from_bundle, unpacked
        from installer.cluster.state import artifact_cache_dir

        directory = unpacked(bundle, artifact_cache_dir(), bundle_key)
        choose_hosts = partial(from_bundle, directory=directory)
    elif bundle_key is not None:
        raise UsageError("--bundle-key checks a bundle, and there is none", fix="name it with --bundle")
    done = run_on_inventory(
        plans.up_to(until),
        "up",
        ClusterOptions(**options),
        check=check,
        choose_hosts=choose_hosts,
        skip_checks=skip_check,
        bundle=directory,
    )
    print_report(done.report, done.log_file, current())
    return done.report.exit_code


def _as_they_are(spec: ClusterSpec) -> ClusterSpec:
    return spec
