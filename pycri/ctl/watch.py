"""``--watch``: the same again and again, until interrupted."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable

_PAUSE = 0.5  # s between two looks
CLEAR = "\033[2J\033[H"


def add_watch(parser: ArgumentParser) -> None:
    """The option."""
    parser.add_argument("-w", "--watch", action="store_true", help="again and again")


def watch(show: Callable[[], None], *, again: bool) -> None:
    """Show once, or until KeyboardInterrupt, which is the way to end it and no failure."""
    try:
        show()
        while again:
            sys.stdout.flush()
            time.sleep(_PAUSE)
            show()
    except KeyboardInterrupt:
        if not again:
            raise


def clear(*, terminal: bool) -> None:
    """Start the screen anew."""
    if terminal:
        print(CLEAR, end="")
