"""Settle what cluster is wanted and find out what there is of it, before anything changes."""

from __future__ import annotations

from installer.control_plane.observe import observe
from installer.errors import InventoryError
from installer.kubernetes import check_versions, wanted
from installer.phases.base import Phase
from installer.run import Run


class Cluster(Phase):
    name = "cluster"
    title = "Cluster"

    def run(self, run: Run) -> None:
        if not any(host.is_control_plane for host in run.spec.hosts):
            raise InventoryError(
                "there is no control plane among the hosts of this run",
                step="cluster",
                fix="put a host into the group control_plane, or leave one in with --limit",
            )
        settle(run)


def settle(run: Run) -> None:
    """Fill ``run.kubernetes``. Raises InventoryError for a wrong setting, or versions that may not meet."""
    learned = {host.name: host for host in run.spec.hosts}
    run.kubernetes = wanted(run.spec, [learned.get(host.name, host) for host in run.everyone])
    run.kubernetes.state = observe(run.asked, run.connections)
    check_versions(run.kubernetes)
    for host in run.active:
        if run.kubernetes.state.host(host.name).entered:
            # The network that lets a bare host run pods is no part of a cluster.
            run.host_variables.setdefault(host.name, {})["cni_plugins_network"] = "none"
