"""What one stream's copy was doing, in memory that outlives this process.

A killed pycri-io (out of memory, a bug, an impatient administrator) would lose the chunk that it had read and
not yet logged, and the line under way. So chunks are read straight into a small shared mapping on tmpfs; the
next process finds there what was not finished and finishes it. It costs two short system calls per chunk: an
fstat of the log and FIONREAD of the stream.

The chunk's length is written down before the read, so that no moment is left in which the stream has given
bytes away and nobody knows of it. Whether the read took place is told by a mark where its last bytes go.
"""

from __future__ import annotations

import array
import fcntl
import mmap
import os
import struct
import termios
from dataclasses import dataclass
from pathlib import Path

from pycri.io.log_format import PART_BYTES
from pycri.io.pump import READ_BYTES

# log size before the chunk, length of the chunk in flight (0: none), pending line's slot and length
_HEADER = struct.Struct("<QIHH")
_SLOTS = (64, 64 + PART_BYTES)  # two, so that the old line stays until the new one is complete
_CHUNK = 64 + 2 * PART_BYTES
_SIZE = _CHUNK + READ_BYTES
# Stands where a chunk's last bytes go until the read overwrites it; no text ends so (0xff is not UTF-8).
_UNREAD = b"\xff\xfe\x00\xfd\xff\x01\xfc\xff\x7f\xfb\xff\x02\xfa\xff\xfe\xff"


@dataclass(frozen=True)
class Unfinished:
    """``chunk`` was read when the log had ``log_size`` bytes; some of its lines may be there already."""

    pending: bytes
    chunk: bytes
    log_size: int


class Journal:
    """The mapping at ``path``, made if it is missing. OSError: it cannot be."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(fd).st_size != _SIZE:  # new, or another version's
                os.ftruncate(fd, 0)
                os.ftruncate(fd, _SIZE)
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)
        self._chunk = memoryview(self._map)[_CHUNK:]
        self._slot = 0
        self._pending_size = 0

    def unfinished(self) -> Unfinished:
        """What the last process left."""
        log_size, chunk_size, slot, pending_size = _HEADER.unpack_from(self._map)
        if chunk_size > READ_BYTES or slot > 1 or pending_size > PART_BYTES:  # not ours
            return Unfinished(b"", b"", 0)
        self._slot, self._pending_size = slot, pending_size
        start = _SLOTS[slot]
        if self._unread(chunk_size):
            chunk_size = 0
        return Unfinished(
            bytes(self._map[start : start + pending_size]), bytes(self._chunk[:chunk_size]), log_size
        )

    def read(self, fd: int, log_size: int) -> bytes:
        """One read of the stream, in flight until ``done``. Raises as os.read."""
        size = min(max(_available(fd), 1), READ_BYTES)
        mark = _UNREAD[-size:]
        self._chunk[size - len(mark) : size] = mark
        self._write_header(log_size, size)
        got = 0
        try:
            got = os.readv(fd, [self._chunk[:size]])
        finally:
            if got < size:  # nothing there, or the end
                self._write_header(log_size, got)
        return bytes(self._chunk[:got])

    def done(self, pending: bytes) -> None:
        """The chunk's lines are in the log; ``pending`` is the line under way."""
        if pending:
            self._slot ^= 1
            start = _SLOTS[self._slot]
            self._map[start : start + len(pending)] = pending
        self._pending_size = len(pending)
        self._write_header(0, 0)

    def close(self) -> None:
        self._chunk.release()
        self._map.close()

    def _unread(self, chunk_size: int) -> bool:
        mark = _UNREAD[-chunk_size:]
        return bytes(self._chunk[chunk_size - len(mark) : chunk_size]) == mark

    def _write_header(self, log_size: int, chunk_size: int) -> None:
        # one copy of 16 bytes: nothing of the old header remains beside the new
        self._map[: _HEADER.size] = _HEADER.pack(log_size, chunk_size, self._slot, self._pending_size)


def _available(fd: int) -> int:
    """Bytes that a read of the stream would find."""
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]
