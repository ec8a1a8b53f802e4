"""The state of all hosts as a table, and below it what is wrong with the sick ones."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {"ready": "green", "runtime": "green", "bare": "dim", "sick": "red", "down": "red"}
_VERSIONS = ("containerd", "runc", "pycri", "kubelet")


def print_status(hosts: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print what ``judge.as_dict`` made of each host."""
    table = Table(
        "host",
        "role",
        "health",
        "phases",
        *_VERSIONS,
        "last run",
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    for host in hosts:
        versions = [host["versions"].get(name) or "-" for name in _VERSIONS]
        health = Text(host["health"], style=_STYLES.get(host["health"], ""))
        table.add_row(
            host["host"],
            host["role"],
            health,
            " ".join(host["phases"]) or "-",
            *versions,
            _last(host["last_run"]),
        )
    console.print(table)
    for host in hosts:
        for problem in host["problems"]:
            style = _STYLES.get(host["health"], "")
            console.print(
                Text(host["health"], style=style) + Text(f" {host['host']}: {problem}"), soft_wrap=True
            )
        if host["fix"]:
            console.print(Text(f"  fix: {host['fix']}"), soft_wrap=True)


def _last(run: Mapping[str, Any] | None) -> str:
    if not run or not run.get("time"):
        return "-"
    when = time.strftime("%m-%d %H:%M", time.localtime(run["time"]))
    return f"{run['command']} {when} {run['state']}"
