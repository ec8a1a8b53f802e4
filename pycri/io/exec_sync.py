"""ExecSync: one process, its output in memory, bounded in size and time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pycri.io.exec_process import ExecProcess, ExecRunner, kill_exec
from pycri.io.pump import Pump

# After the process has ended, what it wrote is still on its way through the shim. A child that it left in
# the background may hold the pipe for ever, so silence ends the wait, and so does the limit.
SILENCE_SECONDS = 1.0
DRAIN_SECONDS = 5.0


@dataclass(frozen=True)
class ExecOutcome:
    """``exit_code`` is 0 when ``timed_out``."""

    stdout: bytes
    stderr: bytes
    exit_code: int
    timed_out: bool


async def exec_sync(
    runner: ExecRunner, container_id: str, spec: bytes, *, timeout: float, max_output_bytes: int
) -> ExecOutcome:
    """Runs the OCI process ``spec``; ``timeout`` in seconds, 0 for none. Raises as ``ExecRunner.process``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout if timeout > 0 else None
    async with runner.process(container_id, spec) as process:
        outputs = {name: _Output(fd, max_output_bytes) for name, fd in process.readers.items()}
        try:
            exit_code = await _exit_code(process, None if deadline is None else deadline - loop.time())
            if exit_code is not None:
                await _drain(list(outputs.values()))
        finally:
            for output in outputs.values():
                output.pump.stop()
        kept = [bytes(outputs[name].kept) for name in ("stdout", "stderr")]
        return ExecOutcome(kept[0], kept[1], exit_code or 0, exit_code is None)


async def _exit_code(process: ExecProcess, limit: float | None) -> int | None:
    """None: the time was up, and the process and its children have been killed."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        done, _ = await asyncio.wait({waiting}, timeout=None if limit is None else max(limit, 0.0))
        if done:
            return waiting.result()
        await kill_exec(process.tasks, process.container_id, process.exec_id, process.pid)
        await asyncio.wait({waiting}, timeout=DRAIN_SECONDS)
        return None
    finally:
        waiting.cancel()


async def _drain(outputs: list[_Output]) -> None:
    loop = asyncio.get_running_loop()
    limit = loop.time() + DRAIN_SECONDS
    ends = [asyncio.ensure_future(output.ended.wait()) for output in outputs]
    try:
        while loop.time() < limit:
            seen = sum(output.seen for output in outputs)
            _, missing = await asyncio.wait(ends, timeout=SILENCE_SECONDS)
            if not missing or seen == sum(output.seen for output in outputs):
                return
    finally:
        for end in ends:
            end.cancel()


class _Output:
    """One stream: the first ``limit`` bytes are kept, the rest is read and dropped."""

    def __init__(self, fd: int, limit: int) -> None:
        self.kept = bytearray()
        self.seen = 0
        self.ended = asyncio.Event()
        self._limit = limit
        self.pump = Pump(fd, self._take, self.ended.set)

    def _take(self, chunk: bytes) -> None:
        self.seen += len(chunk)
        room = self._limit - len(self.kept)
        if room > 0:
            self.kept += chunk[:room]
