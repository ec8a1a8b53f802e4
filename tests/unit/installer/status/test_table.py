"""The table of hosts, as a reader sees it."""

from __future__ import annotations

import io

from rich.console import Console

from installer.status.table import print_status


def test_a_line_per_host_and_its_problems_below() -> None:
    ready = {
        "host": "cp1",
        "role": "control plane",
        "health": "ready",
        "problems": [],
        "fix": None,
        "phases": ["runtime", "kubernetes", "joined"],
        "versions": {"containerd": "1.6.20~ds1", "runc": "1.1.5+ds1", "pycri": "0.1.0", "kubelet": "1.20.2"},
        "last_run": {"time": 0.0, "command": "up", "state": "changed"},
    }
    down = {
        **ready,
        "host": "w1",
        "health": "down",
        "problems": ["no answer"],
        "fix": "plug it in",
        "phases": [],
        "versions": {},
        "last_run": {"time": 1e9, "command": "up", "state": "changed"},
    }
    out = io.StringIO()
    print_status([ready, down], Console(file=out, width=200))
    head, first, second, problem, fix = out.getvalue().splitlines()
    assert head.split()[:4] == ["host", "role", "health", "reached"]
    assert first.split() == [
        "cp1",
        "control",
        "plane",
        "ready",
        "joined",
        "1.6.20",
        "1.1.5",
        "0.1.0",
        "1.20.2",
        "-",
    ]
    assert second.rstrip().endswith("changed")
    assert problem == "down w1: no answer"
    assert fix.strip() == "fix: plug it in"
