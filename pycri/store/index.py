"""Records of one kind in memory, with what a list request needs to be answered without building objects.

Each listed record keeps its serialized entry, already framed as field 1 of a list response; the response is
their concatenation. Labels are indexed, because the kubelet's filters are labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic

from pycri import errors
from pycri.store.records import ContainerRecord, Record

_STREAM_BYTES = 1 << 20
_FIELD_ONE = b"\x0a"  # field 1, length-delimited


class Index(Generic[Record]):
    """Records by id, unique name, label and (containers) sandbox."""

    def __init__(self, kind: str) -> None:
        self.kind = kind  # for messages: "sandbox", "container"
        self._records: dict[str, Record] = {}
        self._entries: dict[str, bytes] = {}
        self._ids_by_name: dict[str, str] = {}
        self._ids_by_label: dict[tuple[str, str], set[str]] = {}
        self._ids_by_sandbox: dict[str, set[str]] = {}

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: Record) -> None:
        """Add or replace. Labels, name and sandbox of a record never change."""
        if record.id not in self._records:
            self._ids_by_name[record.name] = record.id
            for label in record.config.labels.items():
                self._ids_by_label.setdefault(label, set()).add(record.id)
            if isinstance(record, ContainerRecord):
                self._ids_by_sandbox.setdefault(record.sandbox_id, set()).add(record.id)
        self._records[record.id] = record
        if record.listed:
            self._entries[record.id] = _framed(record.entry())

    def drop(self, record_id: str) -> None:
        record = self._records.pop(record_id, None)
        if record is None:
            return
        self._entries.pop(record_id, None)
        self._ids_by_name.pop(record.name, None)
        for label in record.config.labels.items():
            self._discard(self._ids_by_label, label, record_id)
        if isinstance(record, ContainerRecord):
            self._discard(self._ids_by_sandbox, record.sandbox_id, record_id)

    def find(self, record_id: str) -> Record | None:
        """By id or unambiguous prefix of one; None if there is none. Raises InvalidArgument."""
        record = self._records.get(record_id)
        if record is None and record_id and len(record_id) < 64:
            near = [found for known, found in self._records.items() if known.startswith(record_id)]
            if len(near) > 1:
                raise errors.InvalidArgument(
                    f'"{record_id}" fits {len(near)} {self.kind} ids; give more of it'
                )
            record = near[0] if near else None
        return record

    def get(self, record_id: str) -> Record:
        """As ``find``; raises NotFound."""
        record = self.find(record_id)
        if record is None:
            raise errors.NotFound(f'there is no {self.kind} with id "{record_id}"')
        return record

    def named(self, name: str) -> Record | None:
        return self._records.get(self._ids_by_name.get(name, ""))

    def of_sandbox(self, sandbox_id: str) -> list[Record]:
        return [self._records[found] for found in sorted(self._ids_by_sandbox.get(sandbox_id, ()))]

    def responses(
        self,
        record_id: str = "",
        state: int | None = None,
        sandbox_id: str = "",
        labels: Mapping[str, str] | None = None,
        at_most: int = _STREAM_BYTES,
    ) -> Iterator[bytes]:
        """As ``response``, in parts of about ``at_most`` bytes, for the CRI's streams of lists."""
        part: list[bytes] = []
        size = 0
        for record in self.select(record_id, state, sandbox_id, labels):
            entry = self._entries[record.id]
            if part and size + len(entry) > at_most:
                yield b"".join(part)
                part, size = [], 0
            part.append(entry)
            size += len(entry)
        if part:
            yield b"".join(part)

    def response(
        self,
        record_id: str = "",
        state: int | None = None,
        sandbox_id: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> bytes:
        """The serialized list response: entries that fit every given condition."""
        if not record_id and state is None and not sandbox_id and not labels:
            return b"".join(self._entries.values())
        entries = self._entries
        return b"".join(entries[r.id] for r in self.select(record_id, state, sandbox_id, labels))

    def select(
        self,
        record_id: str = "",
        state: int | None = None,
        sandbox_id: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> list[Record]:
        """The listed records that fit every given condition; ids may be unambiguous prefixes."""
        found: set[str] | None = None
        for label in (labels or {}).items():
            having = self._ids_by_label.get(label, set())
            found = set(having) if found is None else found & having
        if sandbox_id:
            having = set().union(
                *(ids for known, ids in self._ids_by_sandbox.items() if known.startswith(sandbox_id))
            )
            found = having if found is None else found & having
        if record_id:
            record = self.find(record_id)
            one = {record.id} if record else set()
            found = one if found is None else found & one
        ids = self._entries if found is None else found
        records = (self._records[known] for known in ids if known in self._entries)
        return [record for record in records if state is None or record.state == state]

    @staticmethod
    def _discard(index: dict[object, set[str]] | dict, key: object, value: str) -> None:  # type: ignore[type-arg]
        members = index.get(key)
        if members is not None:
            members.discard(value)
            if not members:
                del index[key]


def _framed(entry: bytes) -> bytes:
    size, length = bytearray(), len(entry)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return _FIELD_ONE + bytes(size) + entry
