"""What the user sees while a run goes on: a live display on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import os
import sys

from installer.options import GlobalOptions
from installer.progress.base import Progress, Silent

__all__ = ["Progress", "Silent", "choose"]


def choose(options: GlobalOptions) -> Progress:
    """The display that suits the options and the terminal. It writes to stderr: stdout is for results."""
    if options.verbosity < 0 or (options.json and not options.verbosity):
        return Silent()
    plain = not options.color or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    if options.verbosity or plain or not sys.stderr.isatty():
        from installer.progress.plain import Plain

        return Plain(sys.stderr, verbose=options.verbosity > 0)
    from installer.progress.live import Live

    return Live()
