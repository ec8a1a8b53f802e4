"""Run checks against one endpoint, in order, and clean up after them whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from installer.errors import ClusterError
from installer.verify.catalogue import select
from installer.verify.check import Check, Failed, NotApplicable
from installer.verify.client import Cancelled, CriClient, CriError
from installer.verify.context import Context
from installer.verify.endpoint import Endpoint, local
from installer.verify.host import HostError
from installer.verify.options import Options
from installer.verify.result import EndpointReport, Outcome, Result
from installer.verify.session import Session
from installer.verify.sweep import sweep

OnResult = Callable[[Result], None]


class Interrupt:
    """A switch that ends runs early: calls under way are cut short, cleaning up still happens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: list[CriClient] = []
        self.is_set = False

    def watch(self, client: CriClient) -> None:
        """Cancel `client` when the switch is thrown, or now if it has been."""
        with self._lock:
            self._clients.append(client)
            thrown = self.is_set
        if thrown:
            client.cancel()

    def set(self) -> None:
        """Throw it."""
        with self._lock:
            self.is_set = True
            clients = list(self._clients)
        for client in clients:
            client.cancel()


def run_tiers(
    endpoint: Endpoint | str,
    tiers: Sequence[int] = (0, 1),
    *,
    options: Options | None = None,
    patterns: Sequence[str] = (),
    on_result: OnResult = lambda _result: None,
    interrupt: Interrupt | None = None,
) -> EndpointReport:
    """Run the checks of `tiers` (or those that `patterns` choose) against an endpoint.

    A check that fails is a row of the report, never an exception. ``on_result`` is called from the calling
    thread as rows come in. Raises UsageError for a pattern or an address that means nothing, Cancelled after
    an interrupt (when all is cleaned up).
    """
    endpoint = local(endpoint) if isinstance(endpoint, str) else endpoint
    options = options or Options()
    checks = select(tiers, patterns, disruptive=options.disruptive)
    report = EndpointReport(endpoint.host.name, endpoint.address)
    started = time.monotonic()
    client = CriClient(endpoint.target)
    if interrupt is not None:
        interrupt.watch(client)
    session = Session(client, endpoint.host, endpoint.address, options)
    try:
        report.runtime = _introduce(client)
        for result in _run_all(checks, session):
            report.results.append(result)
            on_result(result)
    finally:
        report.leftovers = _clean_up(session)
        client.close()
        report.seconds = time.monotonic() - started
    return report


def _introduce(client: CriClient) -> str:
    """Settle the API version. Who does not answer gets a failed ``api.version`` from the check itself."""
    try:
        answer = client.negotiate()
    except CriError:
        return ""
    return f"{answer.runtime_name} {answer.runtime_version} ({client.api})"


def _run_all(checks: Iterable[Check], session: Session) -> Iterable[Result]:
    closed: Result | None = None
    for check in checks:
        session.cri.raise_if_cancelled()
        if closed is not None:
            yield Result.behind_gate(check, closed.id)
            continue
        if check.after:
            session.close_shared()
        result = run_check(check, session)
        if check.gate and result.outcome is Outcome.FAILED:
            closed = result
        yield result


def run_check(check: Check, session: Session) -> Result:
    """One check's result. Raises Cancelled."""
    started = time.monotonic()
    fix = None
    try:
        outcome, evidence = Outcome.PASSED, check.run(Context(session))
    except NotApplicable as reason:
        outcome, evidence = Outcome.SKIPPED, str(reason)
    except Failed as failure:
        outcome, evidence, fix = Outcome.FAILED, str(failure), failure.fix
    except (CriError, HostError, ClusterError) as error:
        outcome, evidence = Outcome.FAILED, str(error)
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - a bug in one check must not hide what the others found
        outcome, evidence = Outcome.FAILED, f"the check itself broke: {type(error).__name__}: {error}"
        fix = "report this: the check has a bug"
    return Result.of(check, outcome, evidence, seconds=time.monotonic() - started, fix=fix)


def _clean_up(session: Session) -> list[str]:
    """Undo everything; a pod that would not go the first time is tried once more, by its label."""
    session.close_shared()
    session.leftovers = []
    session.close()
    if not session.pods_asked_for:
        return session.leftovers
    try:
        _, errors = sweep(session.cleaner, run_id=session.run_id)
    except CriError as error:
        errors = [f"pods labelled {session.run_id}: {error}"] if session.made_ids else []
    return session.leftovers + errors
