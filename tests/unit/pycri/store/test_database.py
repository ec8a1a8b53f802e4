"""What a write survives, with and without sync."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pycri.store.database import Database

_WRITER = """
import asyncio, os, signal, sys
from pycri.store.database import Database

async def main():
    database = Database(sys.argv[1])
    await database.open()
    await database.write("containers", "kept", b"record", sync=False)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_a_write_survives_the_end_of_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    done = subprocess.run([sys.executable, "-c", _WRITER, path], check=False)
    assert done.returncode == -signal.SIGKILL
    with sqlite3.connect(path) as found:
        assert found.execute("SELECT record FROM containers").fetchall() == [(b"record",)]
    found.close()


@pytest.mark.parametrize(("writes", "level"), [((False,), 1), ((True,), 2), ((False, True, False), 2)])
async def test_the_disk_is_waited_for_when_one_of_the_writes_wants_it(
    tmp_path: Path, writes: tuple[bool, ...], level: int
) -> None:
    database = Database(str(tmp_path / "state.db"))
    await database.open()
    for number, sync in enumerate(writes):  # all of them arrive before the first commit begins
        future = database.write_soon("containers", str(number), b"record", sync=sync)
    await future
    connection = database._connection
    assert connection is not None
    assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
    with sqlite3.connect(database.path) as other:
        assert other.execute("SELECT count(*) FROM containers").fetchone() == (len(writes),)
    other.close()
    await database.close()
