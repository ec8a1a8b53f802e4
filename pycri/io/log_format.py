"""The CRI log format: ``<RFC3339Nano> <stdout|stderr> <P|F> <line>``, without I/O.

P marks a part of a line, F a whole line or a line's last part; a reader joins the parts. The kubelet reads
lines of at most 16 KiB at a time (pkg/kubelet/kuberuntime/logs), hence the part size.
"""

from __future__ import annotations

PART_BYTES = 16 * 1024


class LogFormatter:
    """Cuts one stream into log lines. The cuts depend on the bytes alone, not on how reads chunk them."""

    def __init__(self, stream: str) -> None:
        self._full = b" " + stream.encode() + b" F "
        self._part = b" " + stream.encode() + b" P "
        self._pending = b""  # the line under way: at most PART_BYTES, since a longer one begins with P parts

    @property
    def pending(self) -> bytes:
        """The line under way, without the parts of it that are out already."""
        return self._pending

    def resume(self, pending: bytes) -> None:
        """Goes on with another formatter's line."""
        self._pending = pending

    def feed(self, chunk: bytes, timestamp: bytes) -> bytes:
        """The log lines that ``chunk`` completes."""
        end = chunk.rfind(b"\n")
        if end < 0:
            return self._grow(chunk, timestamp)
        body = chunk[:end]
        if self._pending:
            body = self._pending + body
        self._pending = b""
        if _has_long_line(body):
            lines = self._split(body, timestamp)
        else:
            prefix = timestamp + self._full
            lines = b"".join((prefix, body.replace(b"\n", b"\n" + prefix), b"\n"))
        if end + 1 < len(chunk):
            lines += self._grow(chunk[end + 1 :], timestamp)
        return lines

    def finish(self, timestamp: bytes) -> bytes:
        """The last line of a stream that has ended without a newline."""
        return self._flush(timestamp + self._full)

    def suspend(self, timestamp: bytes) -> bytes:
        """The line under way as a P part: another process (the next pycri-io) will continue it."""
        return self._flush(timestamp + self._part)

    def _flush(self, prefix: bytes) -> bytes:
        pending, self._pending = self._pending, b""
        return b"%b%b\n" % (prefix, pending) if pending else b""

    def _grow(self, tail: bytes, timestamp: bytes) -> bytes:
        """Adds bytes without a newline to the line under way."""
        line = self._pending + tail if self._pending else tail
        if len(line) <= PART_BYTES:
            self._pending = line
            return b""
        parts, self._pending = self._cut(line, timestamp + self._part)
        return b"".join(parts)

    def _split(self, body: bytes, timestamp: bytes) -> bytes:
        """Complete lines, some of them longer than a part."""
        full, part = timestamp + self._full, timestamp + self._part
        out: list[bytes] = []
        for line in body.split(b"\n"):
            parts, rest = self._cut(line, part)
            out += parts
            out += (full, rest, b"\n")
        return b"".join(out)

    @staticmethod
    def _cut(line: bytes, prefix: bytes) -> tuple[list[bytes], bytes]:
        """P parts off the front of ``line``, and the rest: never empty when the line is not."""
        parts: list[bytes] = []
        position = 0
        while len(line) - position > PART_BYTES:
            parts += (prefix, line[position : position + PART_BYTES], b"\n")
            position += PART_BYTES
        return parts, line[position:] if position else line


def _has_long_line(body: bytes) -> bool:
    """Whether a line of ``body`` exceeds one part: looks at one newline per 16 KiB, not at each."""
    position = 0
    while len(body) - position > PART_BYTES:
        newline = body.rfind(b"\n", position, position + PART_BYTES + 1)
        if newline < 0:
            return True
        position = newline + 1
    return False
