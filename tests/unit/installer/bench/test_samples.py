"""Medians, ratios and bars of a benchmark, and how they are shown."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from installer.bench.run import _turn
from installer.bench.samples import Samples
from installer.commands.bench import print_table


def test_rows_compare_medians() -> None:
    samples = Samples()
    for ours, theirs in ((0.010, 0.020), (0.012, 0.030), (0.9, 0.020)):
        samples.add(0, "RunPodSandbox", ours)
        samples.add(1, "RunPodSandbox", theirs)
    (row,) = samples.rows()
    assert (row.ours, row.theirs, row.samples) == (0.012, 0.020, 3)
    assert row.ratio == pytest.approx(0.6)
    assert row.met is True


def test_a_missed_bar_and_a_step_without_one() -> None:
    samples = Samples()
    for step in ("StopPodSandbox", "RemovePodSandbox"):
        samples.add(0, step, 0.1)
        samples.add(1, step, 0.1)
    stop, remove = samples.rows()
    assert stop.met is False
    assert remove.met is None


def test_bars_go_by_the_beginning_of_a_name() -> None:
    samples = Samples()
    for step in ("PullImage 70mb:latest", "all pods running, 50", "PullImages"):
        samples.add(0, step, 0.9)
        samples.add(1, step, 1.0)
    assert [row.bar for row in samples.rows()] == [1.0, 0.85, None]


def test_memory_is_held_to_a_limit_of_its_own() -> None:
    samples = Samples()
    for ours in (109.0, 111.0):
        samples.add(0, "RSS idle", ours, "MB")
        samples.add(1, "RSS idle", 50.0, "MB")
    (row,) = samples.rows()
    assert (row.ours, row.unit, row.limit, row.met) == (110.0, "MB", 110.0, True)
    out = io.StringIO()
    print_table([row], ("a", "b"), Console(file=out, width=100))
    assert out.getvalue().count("110.0 MB") == 2


def test_a_step_that_failed_on_one_side_is_not_compared() -> None:
    samples = Samples()
    with pytest.raises(OSError), samples.time(0, "ExecSync"):
        raise OSError
    samples.add(1, "ExecSync", 0.1)
    assert samples.rows() == []


def test_sides_take_turns() -> None:
    sides = ("a", "b")
    assert [_turn(sides, n)[0] for n in range(4)] == ["a", "b", "a", "b"]  # type: ignore[arg-type, type-var]


def test_the_table_names_both_sides_and_the_ratio() -> None:
    samples = Samples()
    samples.add(0, "RunPodSandbox", 0.05)
    samples.add(1, "RunPodSandbox", 0.1)
    out = io.StringIO()
    print_table(samples.rows(), ("unix:///a", "unix:///b"), Console(file=out, width=100))
    assert "unix:///a against unix:///b" in out.getvalue()
    assert "0.50" in out.getvalue()
