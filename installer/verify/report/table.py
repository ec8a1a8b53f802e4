"""Results for people: a rich table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from installer.verify.check import Check
from installer.verify.result import EndpointReport, Outcome, Result

_STYLE = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.SKIPPED: "yellow"}


def print_report(report: EndpointReport, console: Console, *, quiet: bool = False) -> None:
    """One endpoint's results, failures with their fix, and a line of totals."""
    heading = f"{report.host}: {report.endpoint}{f' ({report.runtime})' if report.runtime else ''}"
    if not quiet:
        _print_results(report, heading, console)
    for result in report.results:
        if result.outcome is Outcome.FAILED:
            _say(console, f"{report.host}: {result.id}: {result.evidence}", "red")
            _say(console, f"  fix: {result.fix}")
    for gate, skipped in Counter(result.behind for result in report.results if result.behind).items():
        _say(console, f"{report.host}: {skipped} further checks did not run, because {gate} failed", "yellow")
    for leftover in report.leftovers:
        _say(console, f"{report.host}: not removed: {leftover}", "red")
    if report.leftovers:
        _say(console, "  fix: nodestrap verify --cleanup, with the same endpoint or inventory")
    if report.error is not None:
        _say(console, f"{report.host}: {report.error}", "red")
        if report.fix:
            _say(console, f"  fix: {report.fix}")
    _say(console, f"{heading}: {totals(report)}", "bold")


def totals(report: EndpointReport) -> str:
    """``33 passed, 1 skipped in 5.1 s``."""
    counts = [
        f"{count} {word}"
        for word, outcome in (
            ("passed", Outcome.PASSED),
            ("failed", Outcome.FAILED),
            ("skipped", Outcome.SKIPPED),
        )
        if (count := report.count(outcome))
    ]
    return f"{', '.join(counts) or 'nothing checked'} in {report.seconds:.1f} s"


def result_line(host: str, result: Result) -> str:
    """One result as a plain line."""
    start = f"{result.outcome.value:4}  {host}  {result.id:24}  {result.seconds:5.2f} s"
    return f"{start}  {_one_line(result.evidence)}"


def print_checks(checks: Sequence[Check], console: Console) -> None:
    """``--list``: every check with what it proves."""
    if not console.is_terminal:
        for check in checks:
            _say(console, f"T{check.tier}  {check.id:24}  {check.title}{_marks(check)}: {check.proves}")
        return
    table = Table(expand=True)
    table.add_column("tier")
    table.add_column("check", no_wrap=True)
    table.add_column("what it shows", ratio=2)
    table.add_column("proves", ratio=3, style="dim")
    for check in checks:
        table.add_row(f"T{check.tier}", check.id, escape(check.title + _marks(check)), escape(check.proves))
    console.print(table)


def _print_results(report: EndpointReport, heading: str, console: Console) -> None:
    if not console.is_terminal:
        return  # each was printed as it came
    table = Table(
        title=escape(heading), title_justify="left", expand=True, box=box.SIMPLE_HEAD, padding=(0, 1)
    )
    table.add_column("tier")
    table.add_column("check", no_wrap=True)
    table.add_column("result")
    table.add_column("s", justify="right")
    table.add_column("evidence", ratio=1, overflow="fold")
    for result in report.results:
        if result.behind is not None:
            continue  # summed up below
        style = _STYLE[result.outcome]
        table.add_row(
            f"T{result.tier}",
            result.id,
            f"[{style}]{result.outcome.value}[/]",
            f"{result.seconds:.2f}",
            escape(_one_line(result.evidence)),
        )
    console.print(table)


def _marks(check: Check) -> str:
    return " (with --disruptive)" if check.disruptive else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
