"""Tokens of runs that were killed before they could take them back, and that would live until they expire."""

from __future__ import annotations

from installer.control_plane.access import revoke
from installer.control_plane.observe import kubectl_on
from installer.phases.base import Phase
from installer.phases.kubernetes import kubernetes_of
from installer.run import Run


class LeftTokens(Phase):
    """Goes by the journal, which is told of a token before there is one.

    After the joins: the killed run may have left a ``kubeadm join`` on a host, which goes on with its token
    and which this run waits for. Without the token it would look for it for five minutes.
    """

    name = "left_tokens"
    stage = "join"
    title = "Tokens of a run that was cut short"

    def should_run(self, run: Run) -> bool:
        if run.kubernetes is None or run.kubernetes.state.control_plane not in run.connections:
            return False
        return run.journal is not None and bool(run.journal.left_tokens())

    def run(self, run: Run) -> None:
        journal, reached = run.journal, kubernetes_of(run).state.control_plane
        assert journal is not None  # should_run has seen to it
        assert reached is not None
        left = journal.left_tokens()
        with_certificates = any(each.certificates for each in left)
        revoke(
            kubectl_on(run.connections[reached]), [each.id for each in left], certificates=with_certificates
        )
        for each in left:
            journal.token_revoked(each.id)
