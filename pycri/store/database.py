"""SQLite, written by one thread.

A write is committed when its future resolves: the kernel has it, and it survives the end of this process.
With ``sync`` it is on the disk too, and survives the machine's. That costs milliseconds, many on a busy disk:
it is for what must not be lost although nothing of the running pods is left (an address, an exit code).

Writes that arrive while a commit is under way share the next one: fifty pods started at once cost a few
syncs, not fifty.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sandboxes (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
"""
_PUT = "INSERT INTO {0} VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record"
_STATEMENTS = {
    table: (_PUT.format(table), f"DELETE FROM {table} WHERE id = ?") for table in ("sandboxes", "containers")
}
_Write = tuple[str, str, "bytes | None", bool]


class Database:
    """The file at ``path``; ``fresh`` tells whether it was made just now, and so knows nothing."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fresh = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._pending: list[_Write] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._committer: asyncio.Task[None] | None = None
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> dict[str, list[bytes]]:
        """Open or create; every record, by table. A file that is not ours is set aside, not destroyed."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    async def write(self, table: str, key: str, record: bytes | None, *, sync: bool = True) -> None:
        """Store ``record`` (None: delete) and return when that is committed."""
        await asyncio.shield(self.write_soon(table, key, record, sync=sync))

    def write_soon(
        self, table: str, key: str, record: bytes | None, *, sync: bool = False
    ) -> asyncio.Future[None]:
        """As ``write``, without waiting. Writes keep their order."""
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(_report)
        self._pending.append((table, key, record, sync))
        self._waiters.append(future)
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_all())
        return future

    async def close(self) -> None:
        if self._committer is not None:
            await self._committer
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._pending:
                writes, waiters = self._pending, self._waiters
                self._pending, self._waiters = [], []
                error: Exception | None = None
                try:
                    await loop.run_in_executor(self._thread, self._commit, writes)
                except sqlite3.Error as failed:
                    error = failed
                for waiter in waiters:
                    if not waiter.done():
                        waiter.set_exception(error) if error else waiter.set_result(None)
        finally:
            self._committer = None

    def _open(self) -> dict[str, list[bytes]]:
        path = Path(self.path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.fresh = not path.exists()
        try:
            return self._connect()
        except sqlite3.DatabaseError:
            # Damaged: intents are rebuilt from containerd; the file stays for whoever wants to look.
            self._close()
            path.replace(path.with_suffix(".damaged"))
            for suffix in ("-wal", "-shm"):
                Path(self.path + suffix).unlink(missing_ok=True)
            self.fresh = True
            return self._connect()

    def _connect(self) -> dict[str, list[bytes]]:
        old = os.umask(0o077)
        try:
            self._connection = connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            os.umask(old)
        connection.execute("PRAGMA cache_size = -512")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA_VERSION:
            raise RuntimeError(
                f"{self.path} was written by a newer pycri (schema {found}); upgrade pycri again"
            )
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        return {
            table: [row[0] for row in connection.execute(f"SELECT record FROM {table}")]
            for table in _STATEMENTS
        }

    def _commit(self, writes: list[_Write]) -> None:
        connection = self._connection
        if connection is None:
            raise sqlite3.ProgrammingError("the database is closed")
        # NORMAL: the log is complete and in order whenever the machine stops, but may lack its latest commits
        level = "FULL" if any(sync for *_, sync in writes) else "NORMAL"
        connection.execute(f"PRAGMA synchronous = {level}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            for table, key, record, _ in writes:
                put, delete = _STATEMENTS[table]
                if record is None:
                    connection.execute(delete, (key,))
                else:
                    connection.execute(put, (key, record))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _report(done: asyncio.Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("the database was not written: %s", error)
