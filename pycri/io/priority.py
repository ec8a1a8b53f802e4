"""Who runs first when the node has more to do than processors: the copying of output, in moderation.

A container that writes at full speed, its shim and a daemon that starts fill two processors. Among equals
pycri-io was then not run for 30 to 90 ms at a time: lines were stamped that much too late, and an attached
terminal stood still. It needs little, and often, which the real-time policies of sched(7) are for.

What they are feared for is a thread that never sleeps. RLIMIT_RTTIME of setrlimit(2) tells of it: who has
been busy for BUSY_SECONDS without a sleep is an ordinary thread for the next REST_SECONDS. So a flood of
output takes hardly more from the node than it did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
from collections.abc import Iterator

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.1
REST_SECONDS = 1.0
_LOWEST = 1  # of the real-time priorities: before every ordinary thread, behind whatever else is urgent
# what is started from here must not inherit it
_REALTIME = os.SCHED_RR | os.SCHED_RESET_ON_FORK


@contextlib.contextmanager
def urgent() -> Iterator[bool]:
    """The event loop's own thread, the caller, is run first while the block runs.

    False: the kernel refuses it (no CAP_SYS_NICE, or a control group without real-time share), and nothing
    is changed.
    """
    if not _hurry():
        yield False
        return
    loop = asyncio.get_running_loop()
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    resting: asyncio.TimerHandle | None = None

    def again() -> None:
        # the kernel has moved the limit on, by a second, when it told of it
        resource.setrlimit(resource.RLIMIT_RTTIME, (int(BUSY_SECONDS * 1e6), before[1]))
        _hurry()

    def rest() -> None:
        nonlocal resting
        _relax()
        if resting is not None:
            resting.cancel()
        resting = loop.call_later(REST_SECONDS, again)

    loop.add_signal_handler(signal.SIGXCPU, rest)
    again()
    try:
        yield True
    finally:
        if resting is not None:
            resting.cancel()
        _relax()
        resource.setrlimit(resource.RLIMIT_RTTIME, before)
        loop.remove_signal_handler(signal.SIGXCPU)


def _hurry() -> bool:
    try:
        os.sched_setscheduler(0, _REALTIME, os.sched_param(_LOWEST))
    except OSError as error:
        log.info("output is copied at ordinary priority: %s", error.strerror)
        return False
    return True


def _relax() -> None:
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
