"""Results, on stdout: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from installer.options import GlobalOptions
from installer.preflight.finding import Severity
from installer.preflight.matrix import CheckResult, by_finding
from installer.report import HostOutcome, HostState, Report

_STYLES = {
    HostState.OK: "green",
    HostState.CHANGED: "yellow",
    HostState.FAILED: "red",
    HostState.UNREACHABLE: "red",
    HostState.SKIPPED: "yellow",
}
_SEVERITIES = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def print_report(
    report: Report, log_file: Path, options: GlobalOptions, *, checks: Sequence[CheckResult] = ()
) -> None:
    """Print how the run ended, host by host, then what to do about those that failed."""
    if options.json:
        document = report.as_dict() | {"log_file": str(log_file)}
        if checks:
            document["checks"] = [_as_dict(result) for result in checks]
        click.echo(json.dumps(document, indent=2))
        return
    console = _console(options)
    table = Table("host", "state", "changed", "step", box=None, header_style="bold", pad_edge=False)
    for outcome in report.outcomes:
        state = Text(outcome.state.value, style=_STYLES[outcome.state])
        table.add_row(outcome.host, state, str(outcome.changed), outcome.step or "")
    console.print(table)
    for outcome in report.outcomes:
        if outcome.reason and not (checks and outcome.step == "preflight"):  # the matrix has said it
            _print_failure(console, outcome)
    for warning in () if checks or options.verbosity < 0 else report.warnings:
        console.print(Text("warning: ", style="yellow") + Text(warning), soft_wrap=True)
    for line in () if options.verbosity < 0 else _proof(report):
        console.print(line, soft_wrap=True, markup=False)
    if report.excluded:
        console.print(f"left out by --limit: {', '.join(report.excluded)}")
    if options.verbosity >= 0:
        console.print(_summary(report, log_file), style="dim", soft_wrap=True)


def _proof(report: Report) -> Iterator[str]:
    """What the last phase has proved; a check that was skipped says why."""
    if report.verified:
        by_outcome = Counter(result.outcome.value for _, result in report.verified)
        words = {"pass": "passed", "fail": "failed", "skip": "skipped"}
        yield "verified: " + ", ".join(f"{count} checks {words[each]}" for each, count in by_outcome.items())
    for host, result in report.verified:
        if result.outcome.value == "skip" and result.tier == 3:
            yield f"  skipped on {host}: {result.id}: {result.evidence}"


def print_matrix(checks: Sequence[CheckResult], options: GlobalOptions) -> None:
    """Print the matrix: a row per check, a column per host; then each finding with its fix."""
    if not checks or options.verbosity < 0:
        return
    console = _console(options)
    hosts = list(dict.fromkeys(result.host for result in checks))
    cells = {(result.check, result.host): result for result in checks}
    table = Table("check", *hosts, box=None, header_style="bold", pad_edge=False)
    for name in dict.fromkeys(result.check for result in checks):
        table.add_row(name, *(_cell(cells.get((name, host))) for host in hosts))
    console.print(table)
    for (check, finding), names in by_finding(checks).items():
        head = Text(f"{finding.severity.value}: ", style=_SEVERITIES[finding.severity])
        console.print(head + Text(f"{', '.join(names)}: {check}: {finding.reason}"), soft_wrap=True)
        console.print(Text(f"  fix: {finding.fix}"), soft_wrap=True)


def _cell(result: CheckResult | None) -> Text:
    if result is None:
        return Text("?")
    if result.skipped:
        return Text("skipped", style="dim")
    if result.failed:
        return Text("error", style="red")
    return Text("warning", style="yellow") if result.findings else Text("ok", style="green")


def _print_failure(console: Console, outcome: HostOutcome) -> None:
    place = f"{outcome.host}: {outcome.step}: " if outcome.step else f"{outcome.host}: "
    console.print(
        Text(outcome.state.value, style=_STYLES[outcome.state]) + Text(f" {place}{outcome.reason}"),
        soft_wrap=True,
    )
    if outcome.fix:
        console.print(Text(f"  fix: {outcome.fix}"), soft_wrap=True)


def _summary(report: Report, log_file: Path) -> str:
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.phases.items())
    verb = "check of " if report.check else ""
    return f"{verb}{report.cluster}: {report.seconds:.1f} s ({phases}); log: {log_file}"


def _as_dict(result: CheckResult) -> dict[str, object]:
    return {
        "host": result.host,
        "check": result.check,
        "skipped": result.skipped,
        "findings": [
            {"severity": finding.severity.value, "reason": finding.reason, "fix": finding.fix}
            for finding in result.findings
        ],
    }


def _console(options: GlobalOptions) -> Console:
    return Console(no_color=not options.color, highlight=False)
