from __future__ import annotations

import io

import pytest
from rich.console import Console

from installer.options import GlobalOptions
from installer.progress import Silent, choose
from installer.progress.base import Progress
from installer.progress.live import Live
from installer.progress.plain import Plain
from installer.report import HostOutcome, HostState


def _tell(progress: Progress) -> None:
    with progress:
        progress.phase("Runtime", ["node1", "node2"])
        progress.step("node1", "containerd: Packages")
        progress.step("node1", "containerd: Packages", changed=True)
        progress.transfer("runc", 50, 100)
        progress.transfer("runc", 100, 100)
        progress.transfer("unknown size", 100, None)
        progress.done(HostOutcome("node2", HostState.FAILED, step="facts", reason="no answer\nand a journal"))


def test_plain_lines_name_host_and_step() -> None:
    stream = io.StringIO()
    _tell(Plain(stream))
    lines = [line.partition("] ")[2] for line in stream.getvalue().splitlines()]
    assert lines == [
        "== Runtime (2 hosts)",
        "node1: containerd: Packages: changed",
        "runc: 100 bytes",
        "node2: failed: facts: no answer",
    ]


def test_plain_and_verbose_has_every_step() -> None:
    stream = io.StringIO()
    _tell(Plain(stream, verbose=True))
    assert "node1: containerd: Packages\n" in stream.getvalue()


def test_live_draws_a_line_per_host() -> None:
    stream = io.StringIO()
    live = Live(Console(file=stream, force_terminal=True, width=100))
    _tell(live)
    drawn = stream.getvalue()
    assert all(text in drawn for text in ("Runtime", "node1", "1 changed", "node2", "no answer"))
    assert "and a journal" not in drawn


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (GlobalOptions(verbosity=-1), Silent),
        (GlobalOptions(json=True), Silent),
        (GlobalOptions(json=True, verbosity=1), Plain),
        (GlobalOptions(), Plain),  # stderr is no terminal here
    ],
)
def test_choice(options: GlobalOptions, kind: type[Progress]) -> None:
    assert type(choose(options)) is kind
