"""Lines of a CRI log file: ``<RFC 3339> <stdout|stderr> <P|F> <content>``; and times as users give them."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import BinaryIO

from pycri.config import duration
from pycri.ctl.errors import CtlError

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_BLOCK = 64 * 1024


@dataclass(frozen=True)
class LogLine:
    """``content`` has its newline, unless the line goes on in the next entry."""

    time: str
    stream: str
    content: bytes

    @property
    def nanoseconds(self) -> int:
        """Since the epoch. Raises ValueError."""
        return nanoseconds(self.time)

    @property
    def fixed_time(self) -> str:
        """The time with nine digits, so that columns stay in place."""
        found = _TIME.fullmatch(self.time)
        return f"{found[1]}.{(found[2] or '').ljust(9, '0')}{found[3]}" if found else self.time


def parse(line: bytes) -> LogLine:
    """One entry, with its newline. Raises ValueError: it is none."""
    moment, stream, tags, content = line.split(b" ", 3)
    if stream not in (b"stdout", b"stderr") or not _TIME.fullmatch(moment.decode("latin-1")):
        raise ValueError(f"no log entry: {line[:100]!r}")
    if tags.split(b":")[0] == b"P":
        content = content.removesuffix(b"\n")
    return LogLine(moment.decode(), stream.decode(), content)


def nanoseconds(text: str) -> int:
    """RFC 3339 to ns since the epoch. Raises ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no RFC 3339 time")
    zone = "+00:00" if found[3] == "Z" else found[3]
    whole = datetime.fromisoformat(found[1] + zone)
    return int(whole.timestamp()) * 10**9 + int((found[2] or "").ljust(9, "0"))


def since(text: str) -> int:
    """``42m`` ago, a time of local or given zone, a date, or Unix seconds; in ns since the epoch.

    Raises CtlError.
    """
    try:
        return time.time_ns() - int(duration(text) * 10**9)
    except ValueError:
        pass
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return int(float(text) * 10**9)
    try:
        return nanoseconds(text)
    except ValueError:
        pass
    try:
        return int(
            datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc).timestamp() * 1e9
        )
    except ValueError:
        raise CtlError(
            f"--since {text}: no time such as 42m, 2026-01-02T13:23:37 or Unix seconds", code=2
        ) from None


def seek_tail(file: BinaryIO, lines: int) -> None:
    """Go to where the last `lines` entries begin."""
    end = file.seek(0, os.SEEK_END)
    missing = lines + 1  # the newline before the first of them
    position, first = end, True
    while position > 0 and lines:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        if first and not block.endswith(b"\n"):
            missing -= 1  # an entry under way is one of them
        first = False
        for offset in range(len(block) - 1, -1, -1):
            if block[offset] == 0x0A:
                missing -= 1
                if not missing:
                    file.seek(position + offset + 1)
                    return
    file.seek(0 if lines else end)
