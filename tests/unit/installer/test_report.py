from __future__ import annotations

import pytest

from installer.report import HostOutcome, HostState, Report


def _report(*outcomes: HostOutcome) -> Report:
    return Report("up", "test", outcomes)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([HostOutcome("a", HostState.OK), HostOutcome("b", HostState.CHANGED)], 0),
        ([HostOutcome("a", HostState.OK), HostOutcome("b", HostState.SKIPPED)], 2),
        ([HostOutcome("a", HostState.OK), HostOutcome("b", HostState.UNREACHABLE, exit_code=3)], 3),
        (
            [
                HostOutcome("a", HostState.FAILED, exit_code=6),
                HostOutcome("b", HostState.FAILED, exit_code=4),
            ],
            4,
        ),
        ([HostOutcome("a", HostState.FAILED)], 6),
    ],
)
def test_exit_code_is_that_of_the_earliest_failure(outcomes: list[HostOutcome], code: int) -> None:
    assert _report(*outcomes).exit_code == code


def test_hosts_left_out_by_limit_are_no_failure() -> None:
    report = Report("up", "test", (HostOutcome("a", HostState.OK),), excluded=("b",))
    assert report.exit_code == 0
    assert report.as_dict()["excluded"] == ["b"]
