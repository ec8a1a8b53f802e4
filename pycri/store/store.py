"""The store: SQLite is the authority on intent, memory answers."""

from __future__ import annotations

import dataclasses
from typing import Any

from pycri import errors
from pycri.store import records
from pycri.store.database import Database
from pycri.store.index import Index
from pycri.store.records import ContainerRecord, SandboxRecord


class Store:
    """Sandboxes and containers.

    A write is in memory at once, and committed when it returns; with ``sync`` it survives a power cut as well
    (database.py).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.sandboxes: Index[SandboxRecord] = Index("sandbox")
        self.containers: Index[ContainerRecord] = Index("container")

    async def load(self) -> bool:
        """Read what is on disk; False when there was no database (or an unreadable one, set aside)."""
        rows = await self._database.open()
        for row in rows["sandboxes"]:
            self.sandboxes.put(records.load(SandboxRecord, row))
        for row in rows["containers"]:
            self.containers.put(records.load(ContainerRecord, row))
        return not self._database.fresh

    async def close(self) -> None:
        await self._database.close()

    def reserve(self, record: SandboxRecord | ContainerRecord) -> None:
        """Take the record's name, in memory. Raises AlreadyExists."""
        index = self.sandboxes if isinstance(record, SandboxRecord) else self.containers
        holder = index.named(record.name)
        if holder is not None:
            raise errors.AlreadyExists(f'the name "{record.name}" belongs to {index.kind} {holder.id}')
        self._remember(record)

    async def put(self, record: SandboxRecord | ContainerRecord, *, sync: bool = True) -> None:
        """Add or replace a record."""
        self._remember(record)
        await self._database.write(_table(record), record.id, records.dump(record), sync=sync)

    async def update_sandbox(self, sandbox_id: str, **changes: Any) -> SandboxRecord | None:
        """Change facts of a record; None, and nothing done, when it is gone meanwhile."""
        record = self.sandboxes.find(sandbox_id)
        if record is not None:
            record = dataclasses.replace(record, **changes)
            await self.put(record)
        return record

    async def update_container(self, container_id: str, **changes: Any) -> ContainerRecord | None:
        """As ``update_sandbox``."""
        record = self.containers.find(container_id)
        if record is not None:
            record = dataclasses.replace(record, **changes)
            await self.put(record)
        return record

    def put_soon(self, record: SandboxRecord | ContainerRecord) -> None:
        """As ``put``, committed some milliseconds later: for what a restart finds out by itself."""
        self._remember(record)
        self._database.write_soon(_table(record), record.id, records.dump(record))

    async def drop(self, record: SandboxRecord | ContainerRecord) -> None:
        """Forget a record and free its name. After a power cut its removal may have to be asked for again."""
        await self._database.write(_table(record), record.id, None, sync=False)
        self.forget(record)

    def forget(self, record: SandboxRecord | ContainerRecord) -> None:
        """Free the name of a record that was only reserved."""
        (self.sandboxes if isinstance(record, SandboxRecord) else self.containers).drop(record.id)

    def _remember(self, record: SandboxRecord | ContainerRecord) -> None:
        if isinstance(record, SandboxRecord):
            self.sandboxes.put(record)
        else:
            self.containers.put(record)


def _table(record: SandboxRecord | ContainerRecord) -> str:
    return "sandboxes" if isinstance(record, SandboxRecord) else "containers"
