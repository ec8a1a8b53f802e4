"""Many endpoints at once, a thread each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from installer.cluster.spec import ClusterSpec, HostSpec
from installer.errors import ConnectError
from installer.verify.client import Cancelled, CriClient, CriError
from installer.verify.endpoint import Endpoint, local
from installer.verify.options import Options
from installer.verify.result import EndpointReport, Result
from installer.verify.runner import Interrupt, run_tiers
from installer.verify.sweep import sweep, sweep_host

if TYPE_CHECKING:
    from installer.ssh.connection import Connection


@dataclass(frozen=True)
class Target:
    """One endpoint, not opened yet."""

    host: str
    address: str
    open: Callable[[], AbstractContextManager[Endpoint]]
    """Raises ConnectError."""
    tiers: tuple[int, ...] | None = None
    """Only these, where not every endpoint is asked for the same."""


def verify_all(
    targets: Sequence[Target],
    tiers: Sequence[int],
    *,
    options: Options,
    patterns: Sequence[str] = (),
    on_result: Callable[[str, Result], None] = lambda _host, _result: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[EndpointReport]:
    """Run the tiers on every target at once; a host that cannot be reached is a report with ``error``.

    ``on_result`` is called from the targets' threads. Raises KeyboardInterrupt when interrupted, or once
    ``cancelled`` says so, after every target has cleaned up.
    """
    interrupt = Interrupt()

    def one(target: Target) -> EndpointReport:
        started = time.monotonic()
        try:
            with target.open() as endpoint:
                return run_tiers(
                    endpoint,
                    tiers if target.tiers is None else target.tiers,
                    options=options,
                    patterns=patterns,
                    on_result=lambda result: on_result(target.host, result),
                    interrupt=interrupt,
                )
        except ConnectError as error:
            report = EndpointReport(target.host, target.address, error=error.reason, fix=error.fix)
            report.seconds = time.monotonic() - started
            return report

    with ThreadPoolExecutor(max_workers=max(len(targets), 1), thread_name_prefix="verify") as pool:
        running = [pool.submit(one, target) for target in targets]
        try:
            while wait(running, timeout=0.2).not_done:
                if cancelled():
                    interrupt.set()
        except KeyboardInterrupt:
            interrupt.set()
            wait(running)
            raise
    try:
        return [each.result() for each in running]
    except Cancelled:
        raise KeyboardInterrupt from None


@dataclass(frozen=True)
class Cleaned:
    """What ``--cleanup`` did on one endpoint."""

    host: str
    removed: tuple[str, ...]
    """Ids of pods."""
    errors: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"host": self.host, "removed": list(self.removed), "errors": list(self.errors)}

    def line(self) -> str:
        """For people."""
        failed = "".join(f"; not removed: {error}" for error in self.errors)
        return f"{self.host}: {len(self.removed)} pods of earlier runs removed{failed}"


def clean_all(targets: Sequence[Target]) -> list[Cleaned]:
    """Remove what earlier runs left on every target. Do not use it while another run is at work there."""

    def one(target: Target) -> Cleaned:
        removed: list[str] = []
        try:
            with target.open() as endpoint, closing(CriClient(endpoint.target)) as client:
                client.negotiate()
                removed, errors = sweep(client)
                errors += sweep_host(endpoint.host)
        except (ConnectError, CriError) as error:
            errors = [str(error)]
        return Cleaned(target.host, tuple(removed), tuple(errors))

    with ThreadPoolExecutor(max_workers=max(len(targets), 1)) as pool:
        return list(pool.map(one, targets))


def local_target(address: str) -> Target:
    """An endpoint of this machine. Raises UsageError for an address that means nothing."""
    endpoint = local(address)
    return Target(endpoint.host.name, endpoint.address, lambda: nullcontext(endpoint))


def connected_target(
    connection: Connection, address: str, *, python: str = "python3", tiers: tuple[int, ...] | None = None
) -> Target:
    """A host that is connected already; the connection stays open."""

    def reach() -> AbstractContextManager[Endpoint]:
        from installer.verify.ssh_host import over_ssh

        return over_ssh(connection, address, python=python)

    return Target(connection.host, address, reach, tiers)


def inventory_targets(
    cluster: ClusterSpec, address: str, ssh_config: Path, tiers: Sequence[int]
) -> list[Target]:
    """The same address on each host of an inventory; ``ssh_config`` is ``installer.ssh.openssh``'s.

    T3 is about the cluster, so one control plane is enough; hosts that nothing else is asked of are left out.
    """
    prover = next((host.name for host in cluster.hosts if host.is_control_plane), None)
    chosen = (
        (host, tuple(tier for tier in tiers if tier != 3 or host.name == prover)) for host in cluster.hosts
    )
    return [
        Target(host.name, address, partial(_remote, host, cluster, address, ssh_config), own)
        for host, own in chosen
        if own
    ]


@contextmanager
def _remote(host: HostSpec, cluster: ClusterSpec, address: str, ssh_config: Path) -> Iterator[Endpoint]:
    # Here, not above: paramiko takes 0.2 s to import, which a local endpoint need not wait for.
    from installer.ssh.connection import connect
    from installer.verify.ssh_host import over_ssh

    with (
        connect(host.name, host.connection, cluster.known_hosts_file, ssh_config) as connection,
        over_ssh(connection, address, python=host.connection.python or "python3") as endpoint,
    ):
        yield endpoint
