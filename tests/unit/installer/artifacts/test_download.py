"""One file over HTTP, from a server that misbehaves."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from installer.artifacts import download as module
from installer.artifacts.download import download
from installer.errors import EXIT_ARTIFACT, ArtifactError
from tests.unit.installer.artifacts.release_server import Releases

BODY = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda _seconds: None)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / SHA256 / "runc"


def test_a_file_arrives_whole_under_its_name_and_progress_is_told(releases: Releases, target: Path) -> None:
    releases.files["/runc"] = BODY
    told: list[tuple[str, int, int | None]] = []
    download(f"{releases.url}/runc", SHA256, target, lambda *step: told.append(step))
    assert target.read_bytes() == BODY
    assert [path.name for path in target.parent.iterdir()] == ["runc"]
    assert told[0] == ("runc", 0, len(BODY))
    assert told[-1] == ("runc", len(BODY), len(BODY))


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(releases: Releases, target: Path) -> None:
    releases.files["/runc"] = b"not what was released"
    with pytest.raises(ArtifactError, match="wrong checksum: expected sha256") as caught:
        download(f"{releases.url}/runc", SHA256, target)
    assert caught.value.exit_code == EXIT_ARTIFACT
    assert hashlib.sha256(b"not what was released").hexdigest() in str(caught.value)
    assert caught.value.fix
    assert list(target.parent.iterdir()) == []


def test_a_broken_connection_is_resumed_where_it_stopped(releases: Releases, target: Path) -> None:
    releases.files["/runc"] = BODY
    releases.break_after = [300_000, 400_000]
    download(f"{releases.url}/runc", SHA256, target)
    assert target.read_bytes() == BODY
    assert [wanted for _path, wanted in releases.requests] == [None, "bytes=300000-", "bytes=700000-"]


def test_a_server_without_ranges_is_asked_for_the_whole_file_again(releases: Releases, target: Path) -> None:
    releases.files["/runc"] = BODY
    releases.ranges = False
    releases.break_after = [300_000]
    download(f"{releases.url}/runc", SHA256, target)
    assert target.read_bytes() == BODY


def test_truncated_for_good_says_how_far_it_came_and_the_next_run_goes_on(
    releases: Releases, target: Path
) -> None:
    releases.files["/runc"] = BODY
    releases.break_after = [100, 100, 100]
    with pytest.raises(ArtifactError, match="broke 3 times, at last after 300 bytes") as caught:
        download(f"{releases.url}/runc", SHA256, target)
    assert caught.value.exit_code == EXIT_ARTIFACT
    assert not target.exists()
    releases.requests.clear()
    download(f"{releases.url}/runc", SHA256, target)
    assert releases.requests == [("/runc", "bytes=300-")]
    assert target.read_bytes() == BODY


def test_a_part_of_another_file_is_thrown_away_once(releases: Releases, target: Path) -> None:
    releases.files["/runc"] = BODY
    target.parent.mkdir(parents=True)
    target.with_name("runc.part").write_bytes(b"x" * 5000)
    download(f"{releases.url}/runc", SHA256, target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("size", [len(BODY), len(BODY) + 7])
def test_a_part_as_long_as_the_file_or_longer_is_judged_by_its_sum(
    releases: Releases, target: Path, size: int
) -> None:
    releases.files["/runc"] = BODY
    target.parent.mkdir(parents=True)
    target.with_name("runc.part").write_bytes((BODY + b"trailer")[:size])
    download(f"{releases.url}/runc", SHA256, target)
    assert target.read_bytes() == BODY


def test_404_is_not_tried_again(releases: Releases, target: Path) -> None:
    with pytest.raises(ArtifactError, match=r"/none: the server answered 404 Not Found"):
        download(f"{releases.url}/none", SHA256, target)
    assert len(releases.requests) == 1


def test_a_server_that_is_busy_for_a_moment_is_tried_again(releases: Releases, target: Path) -> None:
    releases.files["/runc"] = BODY
    releases.statuses = [503, 429]
    download(f"{releases.url}/runc", SHA256, target)
    assert target.read_bytes() == BODY


def test_a_server_that_stays_busy_is_given_up(releases: Releases, target: Path) -> None:
    releases.files["/runc"] = BODY
    releases.statuses = [503, 503, 503]
    with pytest.raises(ArtifactError, match="503 Service Unavailable"):
        download(f"{releases.url}/runc", SHA256, target)


def test_nobody_listening_names_the_url_and_what_to_check(target: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses, and nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/runc"
        with pytest.raises(ArtifactError, match="refused") as caught:
            download(url, SHA256, target)
    assert url in str(caught.value)
    assert "proxy" in (caught.value.fix or "")
