from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycri.errors import InvalidArgument
from pycri.io import log_file
from pycri.io.log_file import LogFile


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "pod").mkdir()
    return tmp_path / "pod"


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_RETRY_SECONDS", 0.0)


@pytest.fixture
def size_limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_appends_and_makes_the_container_directory(logs: Path) -> None:
    path = logs / "name" / "0.log"
    path.parent.mkdir()
    path.write_bytes(b"before\n")
    log = LogFile(str(logs), str(path))
    log.write(b"after\n")
    log.close()
    assert path.read_bytes() == b"before\nafter\n"
    LogFile(str(logs), str(logs / "new" / "0.log")).close()
    assert (logs / "new" / "0.log").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("directory", "path"),
    [
        ("/pods/a", "/pods/b/0.log"),
        ("/pods/a", "/pods/a/../b/0.log"),
        ("/pods/a", "/pods/ab"),
        ("/pods/a", "/pods/a"),
        ("/pods/a", "pods/a/0.log"),
        ("pods/a", "/pods/a/0.log"),
        ("/pods/a", "/pods/a/0\n.log"),
        ("/pods/a", "/pods/a/\0"),
        ("", "/pods/../etc/0.log"),
    ],
)
def test_path_outside_of_the_directory_is_refused(directory: str, path: str) -> None:
    with pytest.raises(InvalidArgument):
        LogFile(directory, path)


def test_links_fifos_and_devices_are_refused(logs: Path, tmp_path: Path) -> None:
    """Security row "paths in rootfs or logs" (CVE-2024-5154, CVE-2025-0750)."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (logs / "link.log").symlink_to(victim)
    (logs / "dangling.log").symlink_to(tmp_path / "made-by-us")
    (logs / "directory").symlink_to(tmp_path)
    os.mkfifo(logs / "fifo.log")
    (logs / "a-directory.log").mkdir()
    os.mknod(logs / "device.log", 0o600 | 0o020000, os.makedev(1, 3))
    for name in ("link.log", "dangling.log", "directory/0.log", "fifo.log", "device.log"):
        with pytest.raises(InvalidArgument, match="links are not followed"):
            LogFile(str(logs), str(logs / name))
    (tmp_path / "pods-link").symlink_to(logs)
    with pytest.raises(InvalidArgument):
        LogFile(str(tmp_path / "pods-link"), str(tmp_path / "pods-link" / "0.log"))
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "made-by-us").exists()


def test_link_put_in_place_later_is_refused_on_reopen(logs: Path, tmp_path: Path) -> None:
    path = logs / "0.log"
    log = LogFile(str(logs), str(path))
    log.write(b"one\n")
    path.rename(logs / "0.log.1")
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(InvalidArgument):
        log.reopen()
    log.write(b"two\n")  # still into the old file
    log.close()
    assert (logs / "0.log.1").read_bytes() == b"one\ntwo\n"
    assert not (tmp_path / "victim").exists()


def test_reopen_after_rename(logs: Path) -> None:
    path = logs / "0.log"
    log = LogFile(str(logs), str(path))
    log.write(b"one\n")
    path.rename(logs / "0.log.1")
    log.write(b"two\n")
    log.reopen()
    log.write(b"three\n")
    log.close()
    assert (logs / "0.log.1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_missing_directory_drops_then_recovers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logs = tmp_path / "later"
    log = LogFile(str(logs), str(logs / "0.log"))
    log.write(b"lost\n")
    assert log.dropped_bytes == 5
    assert len(caplog.records) == 1
    logs.mkdir()
    log.write(b"kept\n")
    log.close()
    assert (logs / "0.log").read_bytes() == b"kept\n"


def test_full_disk_keeps_whole_lines_and_recovers(logs: Path, size_limit: None) -> None:
    path = logs / "0.log"
    log = LogFile(str(logs), str(path))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    log.write(b"1234\n5678\n90ab\n")  # two lines fit
    log.write(b"gone\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (12, hard))
    log.write(b"torn line\n")  # two bytes fit, and are taken back
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    log.write(b"cdef\n")
    log.close()
    assert path.read_bytes() == b"1234\n5678\ncdef\n"
    assert log.dropped_bytes == 5 + 5 + 10


def test_no_space_never_raises(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(str(logs), str(logs / "0.log"))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log_file.os, "write", full)
    log.write(b"gone\n")
    assert log.dropped_bytes == 5
    log.close()


def test_cut_takes_back_and_never_more(logs: Path) -> None:
    path = logs / "0.log"
    log = LogFile(str(logs), str(path))
    log.write(b"one\n")
    size = log.size()
    log.write(b"two\n")
    log.cut(size)
    log.cut(1000)
    log.write(b"three\n")
    log.close()
    log.cut(0)
    assert path.read_bytes() == b"one\nthree\n"


def test_size_of_a_log_that_is_not_open_cuts_nothing(tmp_path: Path) -> None:
    logs = tmp_path / "later"
    log = LogFile(str(logs), str(logs / "0.log"))
    size = log.size()
    logs.mkdir()
    (logs / "0.log").write_bytes(b"from before\n")
    log.write(b"after\n")
    log.cut(size)
    log.close()
    assert (logs / "0.log").read_bytes() == b"from before\nafter\n"


def test_tolerant_counts_a_link_as_an_outage(logs: Path, tmp_path: Path) -> None:
    (logs / "0.log").symlink_to(tmp_path / "victim")
    log = LogFile(str(logs), str(logs / "0.log"), tolerant=True)
    log.write(b"lost\n")
    (logs / "0.log").unlink()
    log.write(b"kept\n")
    log.close()
    assert (logs / "0.log").read_bytes() == b"kept\n"
    assert not (tmp_path / "victim").exists()
