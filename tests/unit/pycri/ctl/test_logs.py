"""``logs``: entries, tails, times, limits and rotation."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri._generated import cri_pb2 as cri
from pycri.ctl.errors import CtlError
from pycri.ctl.log_lines import LogLine, nanoseconds, parse, seek_tail, since
from tests.support.fake_cri import FakeCri
from tests.unit.pycri.ctl.conftest import Run

LOG = (
    b"2026-01-02T03:04:05.1Z stdout F one\n"
    b"2026-01-02T03:04:06.123456789Z stderr F two\n"
    b"2026-01-02T03:04:07Z stdout P thr\n"
    b"2026-01-02T03:04:07.5+02:00 stdout F ee\n"
)


@pytest.fixture
def log(tmp_path: Path, serve: Callable[..., FakeCri]) -> Path:
    """Of a container whose third attempt this is."""
    path = tmp_path / "2.log"
    path.write_bytes(LOG)
    status = cri.ContainerStatus(id="c", log_path=str(path), state=cri.CONTAINER_EXITED)
    status.metadata.attempt = 2
    answers = {"ContainerStatus": cri.ContainerStatusResponse(status=status)}
    serve({**answers, "ReopenContainerLog": cri.ReopenContainerLogResponse()})
    return path


def test_each_stream_goes_to_its_own(log: Path, run: Run) -> None:
    done = run("logs", "c")
    assert (done.code, done.out, done.err) == (0, "one\nthree\n", "two\n")


def test_times_have_nine_digits_and_stand_before_whole_lines(log: Path, run: Run) -> None:
    done = run("logs", "-t", "c")
    assert done.out == "2026-01-02T03:04:05.100000000Z one\n2026-01-02T03:04:07.000000000Z three\n"
    assert done.err == "2026-01-02T03:04:06.123456789Z two\n"


@pytest.mark.parametrize(
    ("arguments", "out", "err"),
    [
        (("--tail", "0"), "", ""),
        (("--tail", "1"), "ee\n", ""),
        (("--tail", "3"), "three\n", "two\n"),
        (("--tail", "99"), "one\nthree\n", "two\n"),
        (("--limit-bytes", "6"), "one\n", "tw"),
        (("--limit-bytes", "0"), "", ""),
        (("--stream", "stdout"), "one\nthree\n", ""),
        (("--stream", "stderr", "--limit-bytes", "2"), "", "tw"),
        (("--since", "2026-01-02T03:04:06Z"), "thr", "two\n"),
        (("--since", "1000000h"), "one\nthree\n", "two\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_parts_of_it(arguments: tuple[str, ...], out: str, err: str, log: Path, run: Run) -> None:
    done = run("logs", *arguments, "c")
    assert (done.code, done.out, done.err) == (0, out, err)


def test_the_attempt_before(log: Path, run: Run) -> None:
    log.with_name("1.log").write_bytes(b"2026-01-02T03:04:05Z stdout F before\n")
    assert run("logs", "--previous", "c").out == "before\n"


def test_no_log(log: Path, run: Run) -> None:
    log.unlink()
    done = run("logs", "c")
    assert done.code == 1
    assert f"{log}" in done.err


def test_what_is_no_entry_is_told_and_passed_over(log: Path, run: Run) -> None:
    log.write_bytes(b"nonsense\n" + LOG)
    done = run("logs", "c")
    assert done.out == "one\nthree\n"
    assert done.err.startswith("warning: ")


def test_reopening_is_the_runtimes(log: Path, run: Run, serve: Callable[..., FakeCri]) -> None:
    assert run("logs", "--reopen", "--tail", "0", "c").code == 0


def test_following_over_a_rotation_until_the_end(
    tmp_path: Path, run: Run, serve: Callable[..., FakeCri]
) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"2026-01-02T03:04:05Z stdout F 1\n2026-01-02T03:04:05Z stdout F ha")
    status = cri.ContainerStatus(id="c", log_path=str(path), state=cri.CONTAINER_RUNNING)
    asked = threading.Event()

    def answer(_: object) -> cri.ContainerStatusResponse:
        asked.set()
        return cri.ContainerStatusResponse(status=status)

    fake = serve({"ContainerStatus": answer})

    def write() -> None:
        while len(fake.requests("ContainerStatus")) < 2:  # the second says that the file's end was reached
            asked.wait(10)
        with path.open("ab") as old:
            old.write(b"lf\n2026-01-02T03:04:05Z stdout F 2\n")
        path.rename(tmp_path / "0.log.old")
        path.write_bytes(b"2026-01-02T03:04:05Z stdout F 3\n")
        status.state = cri.CONTAINER_EXITED

    writer = threading.Thread(target=write)
    writer.start()
    done = run("logs", "-f", "c")
    writer.join()
    assert (done.code, done.out) == (0, "1\nhalf\n2\n3\n")


@given(st.lists(st.sampled_from([b"a", b"bb\n", b"\n"]), max_size=30), st.integers(0, 12))
def test_a_tail_is_the_last_lines(pieces: list[bytes], count: int) -> None:
    text = b"".join(pieces)
    file = io.BytesIO(text)
    seek_tail(file, count)
    lines = text.splitlines(keepends=True)
    assert file.read() == b"".join(lines[len(lines) - count :] if count < len(lines) else lines)


def test_a_tail_over_several_blocks() -> None:
    lines = [f"{number} {'x' * 300}\n".encode() for number in range(2000)]
    file = io.BytesIO(b"".join(lines))
    seek_tail(file, 1500)
    assert file.read() == b"".join(lines[500:])


@pytest.mark.parametrize("line", [b"", b"x\n", b"2026 stdout F x\n", b"2026-01-02T03:04:05Z stdin F x\n"])
def test_no_entries(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse(line)


def test_content_may_hold_anything() -> None:
    assert parse(b"2026-01-02T03:04:05Z stdout F  \xff \r\n") == LogLine(
        "2026-01-02T03:04:05Z", "stdout", b" \xff \r\n"
    )


def test_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert nanoseconds("1970-01-01T02:00:01.5+02:00") == 1_500_000_000
    assert since("1970-01-01T00:00:02Z") == 2 * 10**9
    assert since("3.5") == 3_500_000_000
    assert abs(since("1m") - (time.time_ns() - 60 * 10**9)) < 10**9
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert since("1970-01-01T05:30:00") == since("1970-01-01 05:30") == 0
    finally:
        monkeypatch.undo()
        time.tzset()
    with pytest.raises(CtlError, match="yesterday"):
        since("yesterday")
