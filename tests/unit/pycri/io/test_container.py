from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pycri.errors import AlreadyExists, InvalidArgument, NotFound
from pycri.io import container
from pycri.io.container import ContainerStreams
from pycri.io.record import StdioRecord
from pycri.io.table import ContainerTable


class Shim:
    """Both ends of stdout and stderr, as the runc shim holds them."""

    def __init__(self, streams: ContainerStreams) -> None:
        self.fds = {}
        for name in streams.outputs:
            path = streams.path(name)
            self.fds[name] = (os.open(path, os.O_WRONLY), os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    def write(self, name: str, data: bytes) -> None:
        assert os.write(self.fds[name][0], data) == len(data)

    def exit(self) -> None:
        for fds in self.fds.values():
            for fd in fds:
                os.close(fd)
        self.fds = {}


def wanted(tmp_path: Path, container_id: str = "c1", **more: object) -> StdioRecord:
    logs = tmp_path / "logs"
    logs.mkdir(exist_ok=True)
    return StdioRecord(
        id=container_id,
        log_directory=str(logs),
        log_path=str(logs / "0.log"),
        **more,  # type: ignore[arg-type]
    )


def logged(tmp_path: Path) -> list[tuple[str, str, str]]:
    lines = (tmp_path / "logs" / "0.log").read_text().splitlines()
    return [tuple(line.split(" ", 3)[1:]) for line in lines]  # type: ignore[misc]


async def test_output_reaches_the_log_and_drain_sees_the_end(tmp_path: Path) -> None:
    table = ContainerTable(tmp_path / "io")
    streams = table.open(wanted(tmp_path))
    shim = Shim(streams)
    shim.write("stdout", b"one\ntwo")
    shim.write("stderr", b"oops\n")
    assert not await streams.drain(0.05)  # a writer is still connected
    shim.write("stdout", b" and a half\n")
    shim.exit()
    assert await streams.drain(5)
    assert sorted(logged(tmp_path)) == [
        ("stderr", "F", "oops"),
        ("stdout", "F", "one"),
        ("stdout", "F", "two and a half"),
    ]
    table.close("c1")
    assert list((tmp_path / "io").iterdir()) == []


async def test_one_mebibyte_waits_in_the_pipe(tmp_path: Path) -> None:
    streams = ContainerStreams(tmp_path / "io" / "c1", wanted(tmp_path))
    shim = Shim(streams)
    for _ in range(16):
        shim.write("stdout", b"x" * 65535 + b"\n")  # blocks for ever if the pipe were smaller
    shim.exit()
    assert await streams.drain(5)
    assert sum(len(text) for _, _, text in logged(tmp_path)) == 16 * 65535
    streams.close()


async def test_restart_loses_no_byte_and_joins_the_line_under_way(tmp_path: Path) -> None:
    first = ContainerTable(tmp_path / "io")
    shim = Shim(first.open(wanted(tmp_path)))
    shim.write("stdout", b"before\nhal")
    first.get("c1")._pumps["stdout"].drain()
    first.suspend()
    shim.write("stdout", b"f\nwhile away\n")
    second = ContainerTable(tmp_path / "io")
    assert second.recover({}) == 1
    shim.exit()
    assert await second.get("c1").drain(5)
    assert logged(tmp_path) == [
        ("stdout", "F", "before"),
        ("stdout", "P", "hal"),
        ("stdout", "F", "f"),
        ("stdout", "F", "while away"),
    ]
    second.close("c1")


async def test_task_that_died_while_nobody_was_there_is_drained(tmp_path: Path) -> None:
    first = ContainerTable(tmp_path / "io")
    shim = Shim(first.open(wanted(tmp_path)))
    first.suspend()
    shim.exit()
    second = ContainerTable(tmp_path / "io")
    second.recover({})
    assert await second.get("c1").drain(5)
    second.close("c1")


async def test_descriptors_kept_by_systemd_save_the_output_of_a_dead_task(tmp_path: Path) -> None:
    first = ContainerTable(tmp_path / "io")
    shim = Shim(first.open(wanted(tmp_path, stdin=True)))
    streams = first.get("c1")
    kept = {f"c1.{name}": os.dup(streams._pumps[name]._fd) for name in streams.outputs}
    assert streams.stdin is not None
    kept["c1.stdin"] = os.dup(streams.stdin.fd)
    kept["unknown.stdout"] = os.open("/dev/null", os.O_RDONLY)
    first.suspend()
    shim.write("stdout", b"last words\n")
    shim.exit()
    second = ContainerTable(tmp_path / "io")
    second.recover(kept)
    assert kept == {}
    assert await second.get("c1").drain(5)
    assert logged(tmp_path) == [("stdout", "F", "last words")]
    second.close("c1")


async def test_tty_has_one_stream(tmp_path: Path) -> None:
    streams = ContainerStreams(tmp_path / "io" / "c1", wanted(tmp_path, tty=True))
    assert streams.path("stderr") == ""
    shim = Shim(streams)
    shim.write("stdout", b"prompt\r\n")
    shim.exit()
    assert await streams.drain(5)
    assert (tmp_path / "logs/0.log").read_bytes().endswith(b" stdout F prompt\r\n")
    streams.close()


async def test_stdin_survives_without_a_reader_and_closes_once(tmp_path: Path) -> None:
    table = ContainerTable(tmp_path / "io")
    streams = table.open(wanted(tmp_path, stdin=True, stdin_once=True))
    assert streams.stdin is not None
    reader = os.open(streams.path("stdin"), os.O_RDONLY)
    await streams.stdin.write(b"typed")
    assert os.read(reader, 10) == b"typed"
    streams.close_stdin()
    assert os.read(reader, 10) == b""
    os.close(reader)
    table.suspend()
    again = ContainerTable(tmp_path / "io")
    again.recover({})
    assert again.get("c1").stdin is None  # closed for good
    again.close("c1")


async def test_stdin_blocks_a_writer_and_close_ends_its_wait(tmp_path: Path) -> None:
    streams = ContainerStreams(tmp_path / "io" / "c1", wanted(tmp_path, stdin=True))
    reader = os.open(streams.path("stdin"), os.O_RDONLY | os.O_NONBLOCK)
    assert streams.stdin is not None
    writing = asyncio.create_task(streams.stdin.write(b"x" * (2 << 20)))
    await asyncio.sleep(0)
    assert not writing.done()
    streams.close()
    with pytest.raises(BrokenPipeError):
        await writing
    os.close(reader)


async def test_subscribers_get_chunks_and_the_end(tmp_path: Path) -> None:
    streams = ContainerStreams(tmp_path / "io" / "c1", wanted(tmp_path))
    seen: list[tuple[str, bytes]] = []
    gone: list[tuple[str, bytes]] = []
    streams.subscribe(lambda name, chunk: seen.append((name, chunk)))
    leave = streams.subscribe(lambda name, chunk: gone.append((name, chunk)))
    shim = Shim(streams)
    leave()
    leave()
    shim.write("stdout", b"hello")
    shim.exit()
    await streams.drain(5)
    assert gone == []
    assert sorted(seen) == [("stderr", b""), ("stdout", b""), ("stdout", b"hello")]
    streams.close()


async def test_open_is_idempotent_and_restarts_ended_streams(tmp_path: Path) -> None:
    table = ContainerTable(tmp_path / "io")
    streams = table.open(wanted(tmp_path))
    assert table.open(wanted(tmp_path)) is streams
    with pytest.raises(AlreadyExists):
        table.open(wanted(tmp_path, tty=True))
    Shim(streams).exit()
    assert await streams.drain(5)
    table.open(wanted(tmp_path))
    shim = Shim(streams)
    shim.write("stdout", b"second try\n")
    shim.exit()
    assert await streams.drain(5)
    assert logged(tmp_path) == [("stdout", "F", "second try")]
    assert table.ids() == ["c1"]
    table.close("c1")
    table.close("c1")
    with pytest.raises(NotFound):
        table.get("c1")


async def test_bad_requests_leave_nothing(tmp_path: Path) -> None:
    table = ContainerTable(tmp_path / "io")
    for bad in ("", "..", "a/b", "x" * 300, "-rf"):
        with pytest.raises(InvalidArgument):
            table.open(StdioRecord(id=bad))
    with pytest.raises(InvalidArgument):
        table.open(StdioRecord(id="c1", log_directory=str(tmp_path), log_path="/etc/passwd"))
    assert table.ids() == []
    assert not (tmp_path / "io").exists()


async def test_unusable_record_is_removed_a_failing_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "io" / "junk").mkdir(parents=True)
    (tmp_path / "io" / "other").mkdir()
    (tmp_path / "io" / "other" / "stdio.json").write_text('{"id": "somebody"}')
    first = ContainerTable(tmp_path / "io")
    first.open(wanted(tmp_path))
    first.suspend()

    def no_more_files(path: Path) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(container.fifo, "open_reader", no_more_files)
    assert ContainerTable(tmp_path / "io").recover({}) == 0
    assert [path.name for path in (tmp_path / "io").iterdir()] == ["c1"]


async def test_output_without_a_log_is_read_and_dropped(tmp_path: Path) -> None:
    streams = ContainerStreams(tmp_path / "io" / "c1", StdioRecord(id="c1"))
    shim = Shim(streams)
    shim.write("stdout", b"to nowhere\n")
    shim.exit()
    assert await streams.drain(5)
    streams.close()
