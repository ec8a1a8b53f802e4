"""Stdin through a real FIFO, whose reading end the shim opens when it comes to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycri.io import fifo, stdin
from pycri.io.stdin import StdinWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "stdin"
    fifo.make_fifo(path)
    return path


@pytest.fixture
def writer(path: Path) -> Iterator[StdinWriter]:
    writer = StdinWriter(fifo.open_writer(path))
    yield writer
    writer.close()


async def test_nothing_is_lost_before_there_is_a_reader(path: Path, writer: StdinWriter) -> None:
    writing = asyncio.ensure_future(writer.write(b"typed early"))
    await asyncio.sleep(0.03)
    assert not writing.done()
    with path.open("rb", buffering=0) as reader:
        await writing
        writer.close()
        assert reader.read() == b"typed early"


async def test_the_end_waits_for_a_reader_too(path: Path, writer: StdinWriter) -> None:
    waiting = asyncio.ensure_future(writer.reader())
    await asyncio.sleep(0.03)
    assert not waiting.done()
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    await waiting
    writer.close()
    assert os.read(descriptor, 1) == b""
    os.close(descriptor)


async def test_a_reader_that_left_is_told_of_at_once(path: Path, writer: StdinWriter) -> None:
    with path.open("rb", buffering=0) as reader:
        await writer.write(b"one")
        assert reader.read(3) == b"one"
    with pytest.raises(BrokenPipeError):
        await asyncio.wait_for(writer.write(b"two"), stdin.READER_SECONDS / 2)


async def test_no_reader_at_all_is_told_of_after_a_while(
    writer: StdinWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdin, "READER_SECONDS", 0.05)
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        await writer.write(b"lost")


async def test_closing_ends_the_wait(writer: StdinWriter) -> None:
    waiting = asyncio.ensure_future(writer.reader())
    await asyncio.sleep(0.01)
    writer.close()
    with pytest.raises(BrokenPipeError):
        await waiting
