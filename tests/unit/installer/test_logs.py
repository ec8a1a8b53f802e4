from __future__ import annotations

import logging
from pathlib import Path

import pytest

from installer.errors import UsageError
from installer.logs import default_log_file, log_to_file


def test_log_has_everything_but_secrets(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "up.log"
    with log_to_file(path, {"hunter2", "hunter22"}):
        logging.getLogger("nodestrap").debug("password %s and %s", "hunter2", "hunter22")
        logging.getLogger("paramiko.transport").warning("from paramiko")
    text = path.read_text()
    assert "password ******** and ********" in text
    assert "from paramiko" in text
    assert path.stat().st_mode & 0o077 == 0


def test_a_log_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"), log_to_file(tmp_path / "file" / "up.log"):
        pass


def test_old_logs_go(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for number in range(40):
        (tmp_path / "logs" / f"2026{number:04}.log").touch()
    default_log_file(tmp_path, "up").touch()
    assert len(list((tmp_path / "logs").iterdir())) == 30
