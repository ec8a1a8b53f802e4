"""What a report says of the proof at its end."""

from __future__ import annotations

from installer.output import _proof
from installer.report import Report
from installer.verify.catalogue import all_checks
from installer.verify.result import Outcome, Result


def test_a_check_that_was_skipped_says_why() -> None:
    checks = {check.id: check for check in all_checks()}
    results = (
        ("node1", Result.of(checks["cluster.exec"], Outcome.PASSED, "3 nodes")),
        ("node1", Result.of(checks["cluster.dns"], Outcome.SKIPPED, "no CoreDNS")),
    )
    lines = list(_proof(Report("up", "c", (), verified=results)))
    assert lines == [
        "verified: 1 checks passed, 1 checks skipped",
        "  skipped on node1: cluster.dns: no CoreDNS",
    ]


def test_a_run_without_a_proof_says_nothing() -> None:
    assert list(_proof(Report("up", "c", ()))) == []
