"""Ask every host for its facts, take its lock, and judge all of them by the matrix."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from installer.cluster.spec import HostSpec
from installer.errors import ConnectError, PreflightError, PrivilegeError
from installer.lock import locked, owner
from installer.phases.base import Phase
from installer.phases.connect import MAX_AT_ONCE
from installer.preflight.finding import Severity
from installer.preflight.gather import ProbeSession, gather
from installer.preflight.matrix import by_finding, run_matrix
from installer.report import HostState
from installer.run import Run


class Preflight(Phase):
    name = "preflight"
    title = "Preflight"

    def run(self, run: Run) -> None:
        gather_facts(run)
        run.checks = run_matrix(run.active, run.skip_checks)
        _judge(run)

    def undo(self, run: Run) -> None:
        release(run)


def gather_facts(run: Run) -> None:
    """Ask all hosts at once, and take their locks; who does not answer leaves the run.

    Raises LockedError, which ends the run, for a host under another operator's hands.
    """
    lock = owner() if run.take_locks and not run.check else None
    with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="facts") as pool:
        hosts = [host for host in run.asked if host.name in run.connections]
        answers = list(zip(hosts, pool.map(lambda host: _try(run, host, lock), hosts), strict=True))
    for host, answer in answers:
        if isinstance(answer, PrivilegeError):
            run.fail(answer)
        elif isinstance(answer, ConnectError):
            run.fail(answer, state=HostState.UNREACHABLE)
        else:
            run.sessions[host.name] = answer
    for name, session in run.sessions.items():
        if session.locked_by is not None:  # ends the run: half a cluster under another's hands is no cluster
            raise locked(session.locked_by, where="this host", host=name)
    run.learn({name: session.facts for name, session in run.sessions.items()})


def release(run: Run) -> None:
    """Give the hosts' locks back."""
    for session in run.sessions.values():
        session.close()
    run.sessions.clear()


def _try(run: Run, host: HostSpec, lock: dict[str, Any] | None) -> ProbeSession | ConnectError:
    run.progress.step(host.name, "gathering facts")
    try:
        return gather(run.connections[host.name], host.connection.python, lock)
    except ConnectError as error:
        error.host, error.step = host.name, error.step or "facts"
        return error


def _judge(run: Run) -> None:
    """Keep the warnings for the report; drop the hosts with errors, all their reasons in one message."""
    for (check, finding), hosts in by_finding(run.checks).items():
        if finding.severity is Severity.WARNING:
            run.warnings.append(f"{', '.join(hosts)}: {check}: {finding.reason}\n  fix: {finding.fix}")
    for host in run.active:
        results = [result for result in run.checks if result.host == host.name and result.failed]
        errors = [
            (result.check, finding)
            for result in results
            for finding in result.findings
            if finding.severity is Severity.ERROR
        ]
        if errors:
            reason = "; ".join(f"{check}: {finding.reason}" for check, finding in errors)
            fix = "; ".join(dict.fromkeys(finding.fix for _, finding in errors))
            skip = " ".join(f"--skip-check {result.check}" for result in results)
            run.fail(PreflightError(reason, host=host.name, step="preflight", fix=f"{fix} (or {skip})"))
