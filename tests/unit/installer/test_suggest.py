from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from installer.suggest import did_you_mean


def test_nearest_name() -> None:
    assert did_you_mean("wrokers", ["workers", "control_plane"]) == " Did you mean 'workers'?"
    assert did_you_mean("zzz", ["workers"]) == ""


@given(st.text(), st.lists(st.text()))
def test_suggests_only_known_names(name: str, known: list[str]) -> None:
    said = did_you_mean(name, known)
    assert said == "" or any(repr(candidate) in said for candidate in known)
