"""The changes of a run as text: hosts with the same ones together."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.text import Text

from installer.effects import Effect
from installer.options import GlobalOptions
from installer.report import Report

_SIGNS = {
    "create": ("+", "green"),
    "install": ("+", "green"),
    "enable": ("+", "green"),
    "load": ("+", "green"),
    "init": ("+", "green"),
    "join": ("+", "green"),
    "remove": ("-", "red"),
    "stop": ("-", "red"),
    "disable": ("-", "red"),
    "leave": ("-", "red"),
}
_PLURALS = {
    "directory": "directories",
    "links": "sets of links",
    "kernel": "kernel settings",
    "remaining": "things remain",
}


def print_plan(report: Report, options: GlobalOptions, *, only: str | None = None) -> None:
    """Print each host's changes, or those of one kind alone; nothing for hosts without any."""
    console = Console(no_color=not options.color, highlight=False)
    together: dict[tuple[Effect, ...], list[str]] = {}
    for outcome in report.outcomes:
        effects = tuple(effect for effect in outcome.effects if only in (None, effect.kind))
        if effects:
            together.setdefault(effects, []).append(outcome.host)
    for effects, hosts in together.items():
        console.print(Text(f"{', '.join(hosts)}: {summary(effects)}", style="bold"), soft_wrap=True)
        for effect in effects if options.verbosity >= 0 else ():
            console.print(_line(effect), soft_wrap=True)


def summary(effects: tuple[Effect, ...]) -> str:
    """``14 packages, 9 files``."""
    counts = Counter(effect.kind for effect in effects)
    return ", ".join(
        f"{count} {kind if count == 1 else _PLURALS.get(kind, f'{kind}s')}" for kind, count in counts.items()
    )


def _line(effect: Effect) -> Text:
    if effect.kind == "remaining":
        return Text("  ! ", style="yellow") + Text(f"remains   {effect.name}: {effect.note}")
    sign, style = _SIGNS.get(effect.actions[0], ("~", "yellow"))
    actions = "" if effect.kind == "package" and sign == "+" else f" ({', '.join(effect.actions)})"
    note = f"  {effect.note}" if effect.note else ""
    return (
        Text(f"  {sign} ", style=style) + Text(f"{effect.kind:9} {effect.name}{actions}") + Text(note, "dim")
    )
