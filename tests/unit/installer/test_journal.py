from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from installer.journal import Journal, LeftToken, read
from installer.report import HostOutcome, HostState


def test_a_run_that_ended_leaves_nothing_to_resume(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.run_started("up", ["node1"])
    journal.phase_started("connect")
    journal.host("connect", HostOutcome("node1", HostState.OK))
    journal.run_ended(0)
    journal.close()
    again = Journal(tmp_path)
    assert again.unfinished() is None
    again.close()
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o077 == 0


def test_a_run_cut_short_is_known_with_its_phase(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.run_started("up", ["node1"])
    journal.phase_started("connect")
    journal.phase_started("runtime")
    journal.close()
    with (tmp_path / "journal.jsonl").open("a") as stream:
        stream.write('{"event": "pha')  # the line that kill -9 cut
    again = Journal(tmp_path)
    unfinished = again.unfinished()
    again.close()
    assert unfinished is not None
    assert (unfinished.command, unfinished.phase) == ("up", "runtime")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_any_file_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(text.encode(errors="surrogatepass"))
    for entry in read(path):
        assert isinstance(entry, dict)


def test_an_old_journal_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("x" * (5 << 20))
    Journal(tmp_path).close()
    assert (tmp_path / "journal.jsonl").stat().st_size == 0
    assert (tmp_path / "journal.jsonl.1").exists()


def test_the_next_run_knows_which_tokens_were_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 1)
    killed = Journal(tmp_path)
    killed.token("aaaaaa", certificates=False)
    killed.token_revoked("aaaaaa")
    killed.token("bbbbbb", certificates=True)
    killed.close()
    monkeypatch.setattr("os.getpid", lambda: 2)
    again = Journal(tmp_path)
    again.token("cccccc", certificates=False)  # its own, still in use
    assert again.left_tokens() == (LeftToken("bbbbbb", certificates=True),)
    again.token_revoked("bbbbbb")
    assert again.left_tokens() == ()
    again.close()
