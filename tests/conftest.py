"""For every test."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A shell's background job inherits an ignored SIGINT, and so would every program that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine any example is slow at times; a parser that hangs is found by pytest's timeout.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
