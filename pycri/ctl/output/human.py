"""Sizes, ages, times and ids for people."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

_ID_LENGTH = 13
_HOUR = 3600


def size(count: float, digits: int = 4) -> str:
    """Bytes in decimal units: ``2.746MB``."""
    units = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    step = 0
    while count >= 1000 and step < len(units) - 1:
        count /= 1000
        step += 1
    return f"{count:.{digits}g}{units[step]}"


def duration(seconds: float) -> str:
    """``About an hour``, ``3 days``; as coarse as is useful."""
    if seconds < 1:
        return "Less than a second"
    minutes, hours = int(seconds / 60), int(seconds / _HOUR + 0.5)
    if seconds < 60:
        return "1 second" if int(seconds) == 1 else f"{int(seconds)} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, unit, name in (
        (24 * 14, 24, "days"),
        (24 * 60, 24 * 7, "weeks"),
        (24 * 730, 24 * 30, "months"),
    ):
        if hours < limit:
            return f"{hours // unit} {name}"
    return f"{int(seconds / _HOUR) // 24 // 365} years"


def ago(nanoseconds: int) -> str:
    """How long a moment since the epoch is past."""
    return duration(time.time() - nanoseconds / 1e9) + " ago"


def moment(nanoseconds: int) -> str:
    """``2026-01-31 12:00:00.5 +0000 UTC``, in local time."""
    local = datetime.fromtimestamp(nanoseconds // 10**9).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S}{fraction(nanoseconds)} {local:%z %Z}"


def rfc3339(nanoseconds: int) -> str:
    """With as many digits after the second as there are, in local time."""
    local = datetime.fromtimestamp(nanoseconds // 10**9).astimezone()
    zone = f"{local:%z}"
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    return f"{local:%Y-%m-%dT%H:%M:%S}{fraction(nanoseconds)}{zone}"


def fraction(nanoseconds: int) -> str:
    """What is below a second: ``.25``, or nothing."""
    digits = f"{nanoseconds % 10**9:09}".rstrip("0")
    return f".{digits}" if digits else ""


def short_id(text: str, prefix: str = "") -> str:
    """As much of an id as tells it from others."""
    return text.removeprefix(prefix)[:_ID_LENGTH]


def mapping(title: str, entries: Mapping[str, str]) -> list[str]:
    """Labels or annotations, a line each; nothing where there are none."""
    if not entries:
        return []
    return [f"{title}:", *(f"\t{key} -> {entries[key]}" for key in sorted(entries))]


def info(details: Mapping[str, str]) -> str:
    """The runtime's own details, as the last line of a status."""
    return "Info: map[" + " ".join(f"{key}:{details[key]}" for key in sorted(details)) + "]"
