"""Hosts that are nodes already: everything that lies on them, in one play instead of two.

The CRI gate between the two is for hosts whose kubelet does not rely on the runtime yet; these have one that
does, and the proof at the end asks them the same.
"""

from __future__ import annotations

from installer.phases.base import Phase
from installer.phases.kubernetes import tell_the_roles
from installer.phases.runtime import converge
from installer.run import Run


class Nodes(Phase):
    name = "nodes"
    stage = "kubernetes"
    title = "Container runtime and Kubernetes programs"

    def should_run(self, run: Run) -> bool:
        return only_nodes(run)

    def run(self, run: Run) -> None:
        tell_the_roles(run)
        converge(run, "nodes.yml", check=run.check)


class BeforeNodes(Phase):
    """A phase for hosts of which one at least is no node yet."""

    def __init__(self, phase: Phase) -> None:
        self.phase = phase
        self.name, self.stage, self.title = phase.name, phase.stage, phase.title

    def should_run(self, run: Run) -> bool:
        return not only_nodes(run) and self.phase.should_run(run)

    def run(self, run: Run) -> None:
        self.phase.run(run)

    def dry_run(self, run: Run) -> None:
        self.phase.dry_run(run)

    def undo(self, run: Run) -> None:
        self.phase.undo(run)


def only_nodes(run: Run) -> bool:
    """Whether every host of the run is a node by now, whose kubelet runs and is ready."""
    kubernetes = run.kubernetes
    return bool(run.active) and kubernetes is not None and all(map(kubernetes.is_member, run.active))
