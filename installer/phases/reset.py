"""Let the role node_reset bring hosts back to what they were: playbooks/reset.yml."""

from __future__ import annotations

from installer.phases.base import Phase
from installer.phases.runtime import converge
from installer.run import Run


class Reset(Phase):
    name = "reset"
    title = "Reset"

    def run(self, run: Run) -> None:
        converge(run, "reset.yml", check=False)

    def dry_run(self, run: Run) -> None:
        converge(run, "reset.yml", check=True)
