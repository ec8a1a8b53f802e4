"""What the doctor found, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from installer.doctor.diagnose import Ranked
from installer.doctor.evidence import Failure
from installer.doctor.finding import Weight
from installer.errors import EXIT_CONNECT, EXIT_OK, EXIT_SICK, ConnectError

_STYLES = {Weight.CAUSE: "red", Weight.WARNING: "yellow"}


@dataclass(frozen=True)
class Diagnosis:
    """One host: its causes ranked, or why it could not be looked at."""

    host: str
    findings: tuple[Ranked, ...] = ()
    error: ConnectError | None = None
    last_failure: Failure | None = None
    unseen: tuple[str, ...] = ()  # what could not be looked at, and why

    @property
    def causes(self) -> tuple[Ranked, ...]:
        return tuple(each for each in self.findings if each.finding.weight is Weight.CAUSE)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        failure = self.last_failure
        return {
            "host": self.host,
            "error": self.error.reason if self.error else None,
            "findings": [each.as_dict() for each in self.findings],
            "last_failure": {"step": failure.step, "reason": failure.reason} if failure else None,
            "unseen": list(self.unseen),
        }


def exit_code(diagnoses: Sequence[Diagnosis]) -> int:
    """3 when a host could not be looked at, else 12 when one is sick, else 0."""
    if any(each.error for each in diagnoses):
        return EXIT_CONNECT
    return EXIT_SICK if any(each.causes for each in diagnoses) else EXIT_OK


def print_diagnoses(diagnoses: Sequence[Diagnosis], console: Console, *, quiet: bool = False) -> None:
    """A table of the hosts, then each host's causes with their evidence and fix."""
    if not quiet:
        table = Table("host", "state", "likeliest cause", box=None, header_style="bold", pad_edge=False)
        for each in diagnoses:
            table.add_row(each.host, *_summary(each))
        console.print(table)
    for each in diagnoses:
        _print_host(each, console, quiet=quiet)


def _summary(diagnosis: Diagnosis) -> tuple[Text, str]:
    if diagnosis.error:
        return Text("unreachable", style="red"), diagnosis.error.reason.partition("\n")[0]
    if diagnosis.causes:
        return Text("sick", style="red"), diagnosis.causes[0].name
    return Text("healthy", style="green"), ""


def _print_host(diagnosis: Diagnosis, console: Console, *, quiet: bool) -> None:
    if diagnosis.error:
        _say(console, Text("unreachable ", style="red"), f"{diagnosis.host}: {diagnosis.error.reason}")
        if diagnosis.error.fix:
            _say(console, Text("  fix: "), diagnosis.error.fix)
    for number, ranked in enumerate(diagnosis.findings, 1):
        finding = ranked.finding
        if quiet and finding.weight is Weight.WARNING:
            continue
        label = (
            f"{number}. {ranked.name}: " if finding.weight is Weight.CAUSE else f"warning: {ranked.name}: "
        )
        _say(
            console, Text(f"{diagnosis.host}: ") + Text(label, style=_STYLES[finding.weight]), finding.reason
        )
        _say(console, Text("  evidence: ", style="dim"), finding.evidence)
        _say(console, Text("  fix: "), finding.fix)
    if diagnosis.last_failure and diagnosis.causes and not quiet:
        failure = diagnosis.last_failure
        headline = failure.reason.partition("\n")[0]
        _say(
            console,
            Text(f"{diagnosis.host}: ", style="dim"),
            f"nodestrap's last run failed there in {failure.step}: {headline}",
        )
    for unseen in diagnosis.unseen:
        _say(console, Text(f"{diagnosis.host}: ", style="yellow"), f"could not be looked at: {unseen}")


def _say(console: Console, head: Text, text: str) -> None:
    console.print(head + Text(text), soft_wrap=True)
