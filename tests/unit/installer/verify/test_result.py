"""Exit codes."""

from __future__ import annotations

import pytest

from installer.verify.result import EndpointReport, Outcome, Result, exit_code


def report(*failed_tiers: int, error: str | None = None, leftovers: int = 0) -> EndpointReport:
    made = EndpointReport("node1", "unix:///x", error=error, leftovers=["pod"] * leftovers)
    for tier in (0, 1):
        outcome = Outcome.FAILED if tier in failed_tiers else Outcome.PASSED
        made.results.append(Result(f"pod.{tier}", tier, "t", "p", outcome, "e", None, 0.1))
    return made


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        ([report()], 0),
        ([report(0)], 7),
        ([report(1)], 8),
        ([report(0, 1)], 7),
        ([report(1), report(0)], 7),
        ([report(leftovers=1)], 8),
        ([report(), report(error="no route")], 3),
        ([report(0), report(error="no route")], 3),
        ([], 0),
    ],
)
def test_the_exit_code_says_what_failed(reports: list[EndpointReport], code: int) -> None:
    assert exit_code(reports) == code


def test_json_has_everything() -> None:
    document = report(1).as_dict()
    assert (document["passed"], document["failed"], document["exit_code"]) == (1, 1, 8)
    assert document["checks"][1]["outcome"] == "fail"
