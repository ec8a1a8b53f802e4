from __future__ import annotations

import pytest

from installer import errors


def test_message_says_where_why_and_how_to_fix() -> None:
    error = errors.ConnectError("no answer", host="node1", step="connect", fix="plug it in")
    assert error.render() == "node1: connect: no answer\n  fix: plug it in"
    assert error.as_dict()["exit_code"] == 3


@pytest.mark.parametrize(("tier", "code"), [("T0", 7), ("T1", 8), ("T2", 9), ("T3", 10)])
def test_verify_errors_exit_with_their_tier(tier: str, code: int) -> None:
    assert errors.VerifyError("no", tier=tier).exit_code == code


def test_codes_are_the_published_ones() -> None:
    published = {
        "NodestrapError": 1,
        "UsageError": 2,
        "InventoryError": 2,
        "ConnectError": 3,
        "HostKeyError": 3,
        "PrivilegeError": 4,
        "PreflightError": 4,
        "ArtifactError": 5,
        "ConvergeError": 6,
        "LockedError": 11,
        "Interrupted": 130,
    }
    assert {name: getattr(errors, name).exit_code for name in published} == published
