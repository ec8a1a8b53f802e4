"""Ask every host for its facts and take its lock, for verbs that need no judgement of them."""

from __future__ import annotations

from installer.phases.base import Phase
from installer.phases.preflight import gather_facts
from installer.phases.preflight import release as release_hosts
from installer.run import Run


class Facts(Phase):
    name = "facts"
    title = "Facts"

    def run(self, run: Run) -> None:
        gather_facts(run)

    def undo(self, run: Run) -> None:
        release_hosts(run)
