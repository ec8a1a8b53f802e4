"""Take hosts out of their cluster: ``kubeadm reset`` where a host was joined."""

from __future__ import annotations

from installer.phases.base import Phase
from installer.phases.runtime import converge
from installer.run import Run


class Leave(Phase):
    name = "leave"
    title = "Leave the cluster"

    def run(self, run: Run) -> None:
        converge(run, "leave.yml", check=False)

    def dry_run(self, run: Run) -> None:
        converge(run, "leave.yml", check=True)
