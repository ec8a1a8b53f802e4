"""Time stamps of CRI log lines."""

from __future__ import annotations

import time

_second = -1
_prefix = b""


def log_timestamp(now_ns: int | None = None) -> bytes:
    """RFC 3339 in UTC with nine digits, for ``now_ns`` nanoseconds since the epoch (default: now)."""
    global _second, _prefix
    second, nanosecond = divmod(time.time_ns() if now_ns is None else now_ns, 1_000_000_000)
    if second != _second:  # strftime costs ten times the rest
        _second, _prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
    return b"%b.%09dZ" % (_prefix, nanosecond)
