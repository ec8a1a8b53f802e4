"""Columns as crictl's tables have them, so that scripts that cut them go on working."""

from __future__ import annotations

from collections.abc import Sequence

_GAP = 3


def table(rows: Sequence[Sequence[str]], *, minimum: int = 20) -> str:
    """Rows of equal length under each other: each column but the last at least `minimum` wide, with a gap."""
    if not rows:
        return ""
    widths = [max(minimum, *(len(row[i]) + _GAP for row in rows)) for i in range(len(rows[0]) - 1)]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)) + row[-1] + "\n"
        for row in rows
    )
