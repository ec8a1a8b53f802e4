from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from installer.commands import _cluster_options


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    real = _cluster_options.Path
    monkeypatch.setattr(_cluster_options, "Path", lambda path: tmp_path if path == "/dev/shm" else real(path))
    return tmp_path


def test_the_directory_is_private_and_goes(base: Path) -> None:
    with _cluster_options.private_workdir() as directory:
        assert directory.parent == base
        assert directory.stat().st_mode & 0o077 == 0
        (directory / "secret").touch()
    assert list(base.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_a_living_one_is_not(base: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    (base / f"nodestrap-run-{process.pid}-dead" / "ansible" / "cm").mkdir(parents=True)
    (base / f"nodestrap-run-{os.getppid()}-alive").mkdir()
    with _cluster_options.private_workdir():
        pass
    assert [path.name for path in base.iterdir()] == [f"nodestrap-run-{os.getppid()}-alive"]
