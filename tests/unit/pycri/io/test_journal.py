from __future__ import annotations

import os
from pathlib import Path

import pytest

from pycri.io.container import ContainerStreams
from pycri.io.journal import Journal, Unfinished
from pycri.io.log_format import PART_BYTES
from pycri.io.pump import READ_BYTES
from tests.unit.pycri.io.test_container import Shim, logged, wanted


@pytest.fixture
def pipe() -> tuple[int, int]:
    return os.pipe()


def test_a_chunk_is_in_flight_until_it_is_done(tmp_path: Path, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    path = tmp_path / "journal"
    first = Journal(path)
    assert first.unfinished() == Unfinished(b"", b"", 0)
    os.write(writer, b"one\ntw")
    assert first.read(reader, 7) == b"one\ntw"
    assert Journal(path).unfinished() == Unfinished(b"", b"one\ntw", 7)
    first.done(b"tw")
    assert Journal(path).unfinished() == Unfinished(b"tw", b"", 0)
    os.write(writer, b"o\n")
    first.read(reader, 9)
    assert Journal(path).unfinished() == Unfinished(b"tw", b"o\n", 9)
    first.done(b"")
    assert Journal(path).unfinished() == Unfinished(b"", b"", 0)
    os.close(writer)
    assert first.read(reader, 0) == b""
    os.close(reader)
    first.close()


@pytest.mark.parametrize("chunk", [b"x", b"tail", b"a whole line of more bytes than the mark has\n"])
def test_a_kill_on_either_side_of_the_read_itself(
    tmp_path: Path, pipe: tuple[int, int], chunk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    journal = Journal(tmp_path / "journal")
    os.write(writer, chunk)
    seen = []

    def killed_around(fd: int, buffers: list[memoryview]) -> int:
        seen.append(Journal(tmp_path / "journal").unfinished())
        count = real(fd, buffers)
        seen.append(Journal(tmp_path / "journal").unfinished())
        return count

    real = os.readv
    monkeypatch.setattr(os, "readv", killed_around)
    assert journal.read(reader, 5) == chunk
    assert seen == [Unfinished(b"", b"", 5), Unfinished(b"", chunk, 5)]
    os.close(reader)
    os.close(writer)
    journal.close()


def test_an_empty_stream_leaves_nothing_unfinished(tmp_path: Path, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(reader, False)
    journal = Journal(tmp_path / "journal")
    with pytest.raises(BlockingIOError):
        journal.read(reader, 5)
    assert Journal(tmp_path / "journal").unfinished().chunk == b""
    os.close(reader)
    os.close(writer)
    journal.close()


def test_the_largest_chunk_and_line_fit(tmp_path: Path, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    journal = Journal(tmp_path / "journal")
    assert os.write(writer, b"x" * READ_BYTES) == READ_BYTES
    assert len(journal.read(reader, 1 << 40)) == READ_BYTES
    journal.done(b"y" * PART_BYTES)
    journal.done(b"z" * PART_BYTES)
    assert Journal(tmp_path / "journal").unfinished().pending == b"z" * PART_BYTES
    os.close(reader)
    os.close(writer)
    journal.close()


def test_noise_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).close()
    size = path.stat().st_size
    path.write_bytes(b"\xff" * size)
    assert Journal(path).unfinished() == Unfinished(b"", b"", 0)
    path.write_bytes(b"short")
    assert Journal(path).unfinished() == Unfinished(b"", b"", 0)


@pytest.mark.parametrize("lines_written", [0, 1, 2])
async def test_a_kill_between_read_and_log_loses_and_doubles_nothing(
    tmp_path: Path, lines_written: int
) -> None:
    streams = ContainerStreams(tmp_path / "io" / "c1", wanted(tmp_path))
    shim = Shim(streams)
    shim.write("stdout", b"before\nhal")
    streams._pumps["stdout"].drain()
    # what a killed process leaves: a chunk that was read, and any part of its lines in the log
    shim.write("stdout", b"f\nwhole\nand a ")
    log = streams._log
    assert log is not None
    streams._journals["stdout"].read(streams._pumps["stdout"]._fd, log.size())
    log.write(b"".join([b"x stdout F half\n", b"x stdout F whole\n"][:lines_written]))
    for pump in streams._pumps.values():
        pump.stop()

    second = ContainerStreams(tmp_path / "io" / "c1", streams.record, {})
    shim.write("stdout", b"half\n")
    shim.exit()
    assert await second.drain(5)
    assert [text for _, _, text in logged(tmp_path)] == ["before", "half", "whole", "and a half"]
    second.close()
    log.close()
