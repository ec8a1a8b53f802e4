"""Values made once."""

from __future__ import annotations

import pytest

from installer.verify.check import NotApplicable
from installer.verify.session import Once


def test_made_once() -> None:
    made: list[int] = []
    once = Once(lambda: made.append(1) or len(made))
    assert once.made is None
    assert once.get() == once.get() == 1
    assert once.made == 1
    once.reset()
    assert once.get() == 2


def test_the_first_user_meets_the_failure_and_the_others_are_skipped() -> None:
    def fail() -> int:
        raise OSError("no disk")

    once = Once(fail)
    with pytest.raises(OSError, match="no disk"):
        once.get()
    with pytest.raises(NotApplicable, match="failed before: no disk"):
        once.get()


def test_a_reason_not_to_apply_stays_one() -> None:
    def refuse() -> int:
        raise NotApplicable("a kubelet runs")

    once = Once(refuse)
    for _ in range(2):
        with pytest.raises(NotApplicable, match=r"^a kubelet runs$"):
            once.get()
