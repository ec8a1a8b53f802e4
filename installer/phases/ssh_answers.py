"""After a reset: does a new SSH connection still get in? The old one proves nothing about it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from installer.cluster.spec import HostSpec
from installer.errors import ConnectError
from installer.phases.base import Phase
from installer.phases.connect import MAX_AT_ONCE
from installer.report import HostState
from installer.run import Run
from installer.ssh.connection import connect


class SshAnswers(Phase):
    name = "ssh"
    title = "SSH answers"

    def run(self, run: Run) -> None:
        hosts = run.active
        with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="ssh") as pool:
            for error in pool.map(lambda host: _try(run, host), hosts):
                if error is not None:
                    run.fail(error, state=HostState.UNREACHABLE)

    def dry_run(self, run: Run) -> None:
        """Nothing has changed that could keep it from answering."""


def _try(run: Run, host: HostSpec) -> ConnectError | None:
    try:
        with connect(host.name, host.connection, run.spec.known_hosts_file, run.ssh_config) as connection:
            connection.run(["true"])
    except ConnectError as error:
        reason = f"the reset went through, but SSH does not answer any more: {error.reason}"
        return ConnectError(reason, host=host.name, step="ssh", fix=error.fix)
    return None
