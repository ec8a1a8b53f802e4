"""A second of each fuzzing target with every test run: the harness works, and the seeds still pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.streaming_parsers import TARGETS, kept, mutate, seeds


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_target(name: str, tmp_path: Path) -> None:
    for position, seed in enumerate([*seeds(name), *kept(name)]):
        (tmp_path / f"seed-{position}").write_bytes(seed)
        TARGETS[name](seed)
    assert mutate(TARGETS[name], tmp_path, 0.5) == 0
