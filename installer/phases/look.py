"""Ask every host how it is, and a control plane for its nodes; nothing changes, nobody is locked out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import paramiko

from installer.cluster.spec import HostSpec
from installer.control_plane.observe import ClusterState, observe
from installer.errors import ConnectError
from installer.phases.base import Phase
from installer.phases.connect import MAX_AT_ONCE
from installer.run import Run
from installer.status.probe import HostStatus, probe

_SOCKET = "unix:///run/pycri/pycri.sock"


class Look(Phase):
    """A phase with a result of its own: ``statuses`` by host, and ``cluster``."""

    name = "status"
    title = "Status"

    def __init__(self) -> None:
        self.statuses: dict[str, HostStatus] = {}
        self.cluster = ClusterState()

    def should_run(self, _run: Run) -> bool:
        return True  # also where no host has answered: that is a result

    def run(self, run: Run) -> None:
        for host in run.spec.hosts:
            outcome = run.outcomes.get(host.name)
            if outcome is not None:
                self.statuses[host.name] = HostStatus(error=outcome.reason or "unreachable", fix=outcome.fix)
        with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="status") as pool:
            found = pool.map(lambda host: _ask(run, host), run.active)
            self.statuses |= dict(zip((host.name for host in run.active), found, strict=True))
        members = [host for host in run.active if self.statuses[host.name].joined]
        try:
            self.cluster = observe(members, run.connections)
        except ConnectError as error:
            self.cluster = ClusterState(complaint=error.reason)


def _ask(run: Run, host: HostSpec) -> HostStatus:
    run.progress.step(host.name, "asking how it is")
    connection = run.connections[host.name]
    try:
        status = probe(connection)
        return replace(status, conditions=_conditions(run, host)) if status.socket else status
    except (ConnectError, OSError, EOFError, paramiko.SSHException) as error:
        return HostStatus(error=str(error) or type(error).__name__, fix=getattr(error, "fix", None))


def _conditions(run: Run, host: HostSpec) -> dict[str, str]:
    """The CRI's conditions that do not hold."""
    from contextlib import closing

    from installer.verify.client import CriClient, CriError
    from installer.verify.ssh_host import over_ssh
    from pycri._generated import cri_pb2

    python = host.connection.python or "python3"
    with over_ssh(run.connections[host.name], _SOCKET, python=python) as endpoint:
        try:
            with closing(CriClient(endpoint.target)) as client:
                client.negotiate()
                answer = client.runtime.Status(cri_pb2.StatusRequest())
        except CriError as error:
            return {"CRI": str(error)}
    return {
        condition.type: condition.message or condition.reason or "it does not hold"
        for condition in answer.status.conditions
        if not condition.status
    }
