"""For every test."""

from __future__ import annotations

import signal

# A shell's background job inherits an ignored SIGINT, and so would every program that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
