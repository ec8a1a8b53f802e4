"""Exec: a process in a running container, joined to a client."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from pycri.errors import PycriError
from pycri.io.exec_process import ExecProcess, ExecRunner, kill_exec
from pycri.io.output import Output, drain
from pycri.io.stdin import StdinWriter
from pycri.streaming.channels import Channels
from pycri.streaming.helpers import alongside, first
from pycri.streaming.remote_session import RemoteSession
from pycri.streaming.sessions import ExecRequest
from pycri.streaming.status import Status

log = logging.getLogger(__name__)

_FIRST_SIZE_SECONDS = 0.25  # clients send the terminal's size at once, if at all


class ExecSession(RemoteSession):
    """The process ends with the client, the session with the process."""

    def __init__(self, runner: ExecRunner, request: ExecRequest, channels: Channels, answer: bytes) -> None:
        super().__init__(channels, answer)
        self._runner = runner
        self._request = request
        self._sized = asyncio.Event()

    async def run(self) -> None:
        if not await self.streams_ready():
            return
        request = self._request
        try:
            async with self._runner.process(
                request.container_id,
                request.process_spec,
                tty=request.tty,
                stdin=request.stdin,
                stdout=request.stdout,
                stderr=request.stderr,
            ) as process:
                status = await self._serve(process)
        except PycriError as error:
            status = Status(error=f"error executing command in container: {error}")
        if status is not None:
            await self.finish(status)

    async def _serve(self, process: ExecProcess) -> Status | None:
        """None: the client has left, and the process and its children were killed."""
        outputs = [self._output(name, fd) for name, fd in process.readers.items()]
        stdin = StdinWriter(process.stdin) if process.stdin >= 0 else None
        exited = asyncio.ensure_future(process.wait())
        left = asyncio.ensure_future(self.left())
        try:
            async with alongside(self._type(process, stdin), self._resize(process)):
                await asyncio.wait({exited, left}, return_when=asyncio.FIRST_COMPLETED)
                if not exited.done():
                    await kill_exec(process.tasks, process.container_id, process.exec_id, process.pid)
                    return None
                draining = asyncio.ensure_future(drain(outputs, lambda: self.link.congested))
                await asyncio.wait({draining, left}, return_when=asyncio.FIRST_COMPLETED)
                draining.cancel()
            return Status(exit_code=exited.result())
        finally:
            exited.cancel()
            left.cancel()
            for output in outputs:
                output.pump.stop()
            if stdin is not None:
                stdin.close()

    def _output(self, name: str, fd: int) -> Output:
        """A slow client makes the process wait, as a slow terminal would."""

        def take(chunk: bytes) -> None:
            self.send(name, chunk)
            if self.link.congested:
                output.pump.pause()

        output = Output(fd, take)
        self.link.when_writable(output.pump.resume)
        return output

    async def _type(self, process: ExecProcess, stdin: StdinWriter | None) -> None:
        if stdin is None:
            self.stdin.discard()
            return
        if self._request.tty:
            # what was typed ahead must not be read by a program that believes in a terminal of 0 by 0
            await first(self._sized.wait(), asyncio.sleep(_FIRST_SIZE_SECONDS))
        await self.type_into(stdin)
        stdin.close()
        with contextlib.suppress(PycriError):  # the process has ended meanwhile
            await process.close_stdin()

    async def _resize(self, process: ExecProcess) -> None:
        while True:
            size = await self.next_size()
            try:
                await process.resize(size.width, size.height)
            except PycriError as error:
                log.debug("resize of exec %s: %s", process.exec_id, error)
            self._sized.set()
