"""The CRI's log format, ``RFC3339NANO stdout|stderr P|F TEXT`` (design proposal kubelet-cri-logging)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from installer.verify.check import Failed

_ENTRY = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF]) (.*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class LogEntry:
    """One line of the file."""

    time: str
    stream: str
    partial: bool
    text: bytes


def parse(log: bytes) -> list[LogEntry]:
    """The entries of a log file that ends with a newline. Raises Failed for a line that is none."""
    if log and not log.endswith(b"\n"):
        raise Failed(f"the log's last line is not ended: {log[-80:]!r}")
    entries = []
    for number, line in enumerate(log.split(b"\n")[:-1], start=1):
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise Failed(f"line {number} of the log is not in CRI format: {line[:80]!r}")
        time, stream, tag, text = match.groups()
        entries.append(LogEntry(time.decode(), stream.decode(), tag == b"P", text))
    return entries


def whole_lines(entries: Iterable[LogEntry]) -> dict[str, list[bytes]]:
    """Each stream's lines, parts joined; a line still without its end is left out."""
    lines: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    pending = {"stdout": b"", "stderr": b""}
    for entry in entries:
        pending[entry.stream] += entry.text
        if not entry.partial:
            lines[entry.stream].append(pending[entry.stream])
            pending[entry.stream] = b""
    return lines
