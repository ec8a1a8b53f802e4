"""Connect to the hosts that are worked on, and to one control plane of their cluster, which is only asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from installer.cluster.spec import HostSpec
from installer.errors import ConnectError
from installer.phases.connect import Connect, connect_all
from installer.report import HostState
from installer.run import Run


class Through(Connect):
    """The control plane becomes a bystander of the run: the first that answers, and no other is contacted."""

    title = "Connect"

    def __init__(self, *, control_plane_only: bool = False) -> None:
        self._control_plane_only = control_plane_only  # the hosts themselves are gone for good

    def run(self, run: Run) -> None:
        if not self._control_plane_only:
            connect_all(run, run.active)
        complaints = []
        for candidate in _candidates(run) if run.active else ():
            refused = connect_all(run, [candidate], required=False)
            if not refused:
                run.spec = replace(run.spec, hosts=(*run.spec.hosts, candidate))
                run.bystanders |= {candidate.name}
                return
            complaints.append(f"{candidate.name}: {refused[0].reason}")
        for host in run.active:
            reason = (
                f"no control plane of its cluster was reached: {'; '.join(complaints) or 'there is none'}"
            )
            error = ConnectError(reason, host=host.name, step="connect")
            error.fix = "is one up? To join somebody else's cluster, see `nodestrap join --help`: --token"
            run.fail(error, state=HostState.SKIPPED)


def _candidates(run: Run) -> Iterator[HostSpec]:
    worked_on = {host.name for host in run.spec.hosts}
    return (host for host in run.everyone if host.is_control_plane and host.name not in worked_on)
