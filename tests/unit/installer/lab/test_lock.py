"""One command at a time on one lab."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from installer.errors import LockedError
from installer.lab.lock import exclusive

if TYPE_CHECKING:
    from pathlib import Path


def test_the_second_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lab.lock"
    with (
        exclusive(path, "lab 'x'"),
        pytest.raises(LockedError, match=r"process \d+\) is at work on lab 'x'"),
        exclusive(path, "lab 'x'"),
    ):
        pass
    assert not path.exists()
    with exclusive(path, "lab 'x'"):
        assert path.exists()


def test_waiting_ones_get_it_one_after_the_other(tmp_path: Path) -> None:
    inside: list[int] = []

    def work() -> None:
        for _ in range(20):
            with exclusive(tmp_path / "lock", "it", wait=True):
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not (tmp_path / "lock").exists()


def test_an_error_inside_releases_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive(tmp_path / "lock", "it"):
        raise RuntimeError
    assert not (tmp_path / "lock").exists()
