"""The state of all hosts as a table, and below it what is wrong with the sick ones."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_STYLES = {"ready": "green", "runtime": "green", "bare": "dim", "sick": "red", "down": "red"}
_VERSIONS = ("containerd", "runc", "pycri", "kubelet")


def print_status(hosts: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print what ``judge.as_dict`` made of each host."""
    names = ("host", "role", "health", "reached", *_VERSIONS, "last run")
    columns = (Column(name, no_wrap=True) for name in names)
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for host in hosts:
        versions = [_release(host["versions"].get(name)) for name in _VERSIONS]
        reached, last = (host["phases"] or ["-"])[-1], _last(host["last_run"])
        table.add_row(host["host"], host["role"], _health(host), reached, *versions, last)
    console.print(table)
    for host in hosts:
        for problem in host["problems"]:
            console.print(_health(host) + Text(f" {host['host']}: {problem}"), soft_wrap=True)
        if host["fix"]:
            console.print(Text(f"  fix: {host['fix']}"), soft_wrap=True)


def _health(host: Mapping[str, Any]) -> Text:
    return Text(host["health"], style=_STYLES.get(host["health"], ""))


def _release(version: str | None) -> str:
    """Without what a distribution adds: 1.6.20 of 1.6.20~ds1."""
    return re.split(r"[~+]", version)[0] if version else "-"


def _last(run: Mapping[str, Any] | None) -> str:
    if not run or not run.get("time"):
        return "-"
    when = time.strftime("%m-%d %H:%M", time.localtime(run["time"]))
    return f"{run['command']} {when} {run['state']}"
