"""What every phase is."""

from __future__ import annotations

from installer.run import Run


class Phase:
    """One step of a plan over all hosts still in the run.

    A phase is idempotent: after a run was cut short, the next one runs it again. It decides here and lets
    roles converge the hosts; a host that fails leaves the run (``run.fail``), the others go on.
    """

    name: str  # for --until, the journal and the report
    stage: str = ""  # for --until, where a phase belongs to an earlier one: its proof, say
    title: str  # for people

    def should_run(self, run: Run) -> bool:
        """False when there is nothing to do; said before anything is touched."""
        return bool(run.active)

    def run(self, run: Run) -> None:
        """Do it. An exception ends the whole run."""
        raise NotImplementedError

    def dry_run(self, run: Run) -> None:
        """``--check``: find out what ``run`` would do. Phases that only look do the same thing."""
        self.run(run)

    def undo(self, run: Run) -> None:
        """Give back what the phase took for the time of the run. Called in reverse order, however it
        ended."""
