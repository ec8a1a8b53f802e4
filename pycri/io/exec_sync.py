"""ExecSync: one process, its output in memory, bounded in size and time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pycri.io.exec_process import ExecProcess, ExecRunner, kill_exec
from pycri.io.output import Output, drain

_KILL_SECONDS = 5.0


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
        kept = {name: _Kept(max_output_bytes) for name in process.readers}
        outputs = [Output(fd, kept[name].take) for name, fd in process.readers.items()]
        try:
            exit_code = await _exit_code(process, None if deadline is None else deadline - loop.time())
            if exit_code is not None:
                await drain(outputs)
        finally:
            for output in outputs:
                output.pump.stop()
        stdout, stderr = bytes(kept["stdout"].data), bytes(kept["stderr"].data)
        return ExecOutcome(stdout, stderr, exit_code or 0, exit_code is None)


async def _exit_code(process: ExecProcess, limit: float | None) -> int | None:
    """None: the time was up, and the process and its children have been killed."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        done, _ = await asyncio.wait({waiting}, timeout=None if limit is None else max(limit, 0.0))
        if done:
            return waiting.result()
        await kill_exec(process.tasks, process.container_id, process.exec_id, process.pid)
        await asyncio.wait({waiting}, timeout=_KILL_SECONDS)
        return None
    finally:
        waiting.cancel()


class _Kept:
    """The first ``limit`` bytes of a stream; the rest is read and dropped."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self._limit = limit

    def take(self, chunk: bytes) -> None:
        room = self._limit - len(self.data)
        if room > 0:
            self.data += chunk[:room]
