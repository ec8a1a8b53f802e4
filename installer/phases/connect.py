"""Open an SSH connection to every host, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from installer.cluster.spec import HostSpec
from installer.errors import ConnectError
from installer.phases.base import Phase
from installer.report import HostState
from installer.run import Run
from installer.ssh.connection import Connection, connect
from installer.ssh.openssh import write_config

MAX_AT_ONCE = 64


class Connect(Phase):
    name = "connect"
    title = "Connect"

    def run(self, run: Run) -> None:
        connect_all(run, run.active)

    def undo(self, run: Run) -> None:
        for connection in run.connections.values():
            connection.close()
        run.connections.clear()


def connect_all(run: Run, hosts: Sequence[HostSpec], *, required: bool = True) -> list[ConnectError]:
    """Connect to all of them at once; returns why some were not reached. Those that are ``required`` leave
    the run."""
    run.spec.known_hosts_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_config(run.ssh_config, run.spec.known_hosts_file, pin_bastions=True)
    refused = []
    with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="connect") as pool:
        for host, result in zip(hosts, pool.map(lambda host: _try(run, host), hosts), strict=True):
            if isinstance(result, ConnectError):
                refused.append(result)
                if required:
                    run.fail(result, state=HostState.UNREACHABLE)
                continue
            run.connections[host.name] = result
            if result.newly_pinned:
                run.progress.note(f"{host.name}: first contact, host key pinned: {result.newly_pinned}")
    # Ansible's ssh comes next: from here on every key must be known already.
    write_config(run.ssh_config, run.spec.known_hosts_file, pin_bastions=False)
    return refused


def _try(run: Run, host: HostSpec) -> Connection | ConnectError:
    run.progress.step(host.name, f"connecting to {host.connection.address}")
    try:
        return connect(host.name, host.connection, run.spec.known_hosts_file, run.ssh_config)
    except ConnectError as error:
        error.host, error.step = host.name, error.step or "connect"
        return error
