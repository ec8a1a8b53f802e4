"""The output of an exec'd process, until nothing more can be expected of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pycri.io.pump import Pump

# After the process has ended, what it wrote is still on its way through the shim. A child that it left in
# the background may hold the pipe for ever, so silence ends the wait, longer than a busy machine lets the
# shim wait for a processor, and so does the limit.
SILENCE_SECONDS = 2.5
DRAIN_SECONDS = 5.0


class Output:
    """One stream: ``take`` gets each chunk."""

    def __init__(self, fd: int, take: Callable[[bytes], None]) -> None:
        self.seen = 0
        self.ended = asyncio.Event()
        self._take = take
        self.pump = Pump(fd, self._count, self.ended.set)

    def _count(self, chunk: bytes) -> None:
        self.seen += len(chunk)
        self._take(chunk)


async def drain(outputs: Sequence[Output], congested: Callable[[], bool] = lambda: False) -> None:
    """After the process's exit: returns at end of file, or when no more is coming.

    While ``congested``, a slow client holds the output up, and neither silence nor time counts.
    """
    loop = asyncio.get_running_loop()
    limit = loop.time() + DRAIN_SECONDS
    ends = [asyncio.ensure_future(output.ended.wait()) for output in outputs]
    try:
        while ends and loop.time() < limit:
            seen = sum(output.seen for output in outputs)
            _, missing = await asyncio.wait(ends, timeout=SILENCE_SECONDS)
            if congested():
                limit = loop.time() + DRAIN_SECONDS
            elif not missing or seen == sum(output.seen for output in outputs):
                return
            if not missing:
                return
    finally:
        for end in ends:
            end.cancel()
