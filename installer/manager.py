"""Runs a plan: phase after phase, journalled, and whatever they took given back in reverse."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from installer.effects import merge
from installer.errors import EXIT_INTERRUPTED, EXIT_UNEXPECTED, NodestrapError, UsageError
from installer.journal import Journal
from installer.phases.base import Phase
from installer.report import HostOutcome, HostState, Report
from installer.run import Run

_log = logging.getLogger("nodestrap")


def run_plan(plan: Sequence[Phase], run: Run, journal: Journal | None, command: str) -> Report:
    """Run the phases in order on the hosts that are left at each; the report has every host of the spec.

    Raises NodestrapError for what ends the whole run (a lock, an artifact, ^C). With a journal, an
    interrupted run leaves one that says so, and the next run says where it goes on.
    """
    started, seconds = time.monotonic(), {}
    if journal is not None:
        _announce_resume(run, journal)
        journal.run_started(command, [host.name for host in run.spec.hosts])
    exit_code = EXIT_UNEXPECTED
    begun: list[Phase] = []
    try:
        with _interruptible(run):
            for phase in plan:
                run.raise_if_interrupted()
                if not phase.should_run(run):
                    continue
                begun.append(phase)
                seconds[phase.name] = _one(phase, run, journal)
        report = _report(run, command, time.monotonic() - started, seconds)
        exit_code = report.exit_code
        return report
    except NodestrapError as error:
        exit_code = error.exit_code
        raise
    except KeyboardInterrupt:
        exit_code = EXIT_INTERRUPTED
        raise
    finally:
        _undo(begun, run)
        if journal is not None and exit_code != EXIT_INTERRUPTED:  # interrupted: left open, to be resumed
            journal.run_ended(exit_code)


def until(plan: Sequence[Phase], name: str | None) -> tuple[Phase, ...]:
    """The plan up to and including the last phase called ``name`` or belonging to it; all of it for None."""
    if name is None:
        return tuple(plan)
    last = max((index for index, phase in enumerate(plan) if name in (phase.name, phase.stage)), default=None)
    if last is None:
        raise UsageError(
            f"there is no phase {name!r}", fix=f"phases: {', '.join(phase.name for phase in plan)}"
        )
    return tuple(plan[: last + 1])


def _one(phase: Phase, run: Run, journal: Journal | None) -> float:
    before, started = set(run.outcomes), time.monotonic()
    run.progress.phase(phase.title, [host.name for host in run.active])
    if journal is not None:
        journal.phase_started(phase.name)
    (phase.dry_run if run.check else phase.run)(run)
    took = time.monotonic() - started
    _log.info("phase %s took %.2f s", phase.name, took)
    if journal is not None:
        for host in run.spec.hosts:
            if host.name not in before:
                journal.host(phase.name, _outcome(run, host.name))
        journal.phase_ended(phase.name, took)
    return took


def _outcome(run: Run, host: str) -> HostOutcome:
    if host in run.outcomes:
        return run.outcomes[host]
    changed = run.changed.get(host, 0)
    return HostOutcome(
        host,
        HostState.CHANGED if changed else HostState.OK,
        changed,
        tasks=run.tasks.get(host, 0),
        skipped_tasks=run.skipped_tasks.get(host, 0),
        effects=merge(run.effects.get(host, ())),
    )


def _report(run: Run, command: str, seconds: float, phases: dict[str, float]) -> Report:
    unmatched = tuple(
        HostOutcome(
            host,
            HostState.SKIPPED,
            step="inventory",
            reason="in the inventory, but in neither control_plane nor workers",
            fix="put it into one of the groups, or leave it out with --limit",
        )
        for host in run.spec.unmatched
    )
    for outcome in unmatched:
        run.progress.done(outcome)
    return Report(
        command=command,
        cluster=run.spec.name,
        outcomes=tuple(_outcome(run, host.name) for host in run.spec.hosts) + unmatched,
        excluded=run.spec.excluded,
        warnings=tuple(run.warnings),
        verified=tuple(run.verified),
        seconds=seconds,
        phases=phases,
        check=run.check,
    )


def _undo(begun: list[Phase], run: Run) -> None:
    """One failing undo must not keep the others from theirs; it is logged and said."""
    for phase in reversed(begun):
        try:
            phase.undo(run)
        except Exception as error:  # noqa: BLE001, PERF203 - the run's own error, if any, matters more
            _log.exception("undo of %s", phase.name)
            run.warn(f"phase {phase.name} could not give back what it took: {error}")


def _announce_resume(run: Run, journal: Journal) -> None:
    unfinished = journal.unfinished()
    if unfinished is not None:
        run.progress.note(
            f"the last run ({unfinished.command}) was cut short in phase {unfinished.phase or 'start'}: "
            "going on from what the hosts have reached"
        )


@contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    """^C and SIGTERM ask the run to stop; a second one stops it at once (KeyboardInterrupt)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        if run.interrupted.is_set():
            raise KeyboardInterrupt
        run.interrupted.set()
        run.progress.note("stopping; once more to stop at once")

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
