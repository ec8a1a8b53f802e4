"""The standard streams of one container: FIFOs, log file, and whoever is attached."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, MutableMapping
from functools import partial
from pathlib import Path

from pycri.io import fifo, notify, record
from pycri.io.clock import log_timestamp
from pycri.io.journal import Journal
from pycri.io.log_file import LogFile
from pycri.io.log_format import LogFormatter
from pycri.io.pump import Pump
from pycri.io.record import StdioRecord
from pycri.io.stdin import StdinWriter

OUTPUTS = ("stdout", "stderr")
#: Called with the stream's name and a chunk; an empty chunk is the stream's end.
Subscriber = Callable[[str, bytes], None]


class ContainerStreams:
    """Copies from the FIFOs in ``directory`` from construction until ``suspend`` or ``close``."""

    def __init__(
        self, directory: Path, wanted: StdioRecord, stored: MutableMapping[str, int] | None = None
    ) -> None:
        """``stored``: descriptors that systemd kept, by name; ours are taken out of it. With it, the
        container runs already.

        Raises InvalidArgument for a bad log path, OSError when the FIFOs cannot be made.
        """
        self.record = wanted
        self.stdin: StdinWriter | None = None
        self._directory = directory
        self._subscribers: list[Subscriber] = []
        self._pumps: dict[str, Pump] = {}
        self._formatters = {name: LogFormatter(name) for name in self.outputs}
        self._journals: dict[str, Journal] = {}
        self._all_ended = asyncio.Event()
        self._log = self._open_log(tolerant=stored is not None)
        try:
            self._start({} if stored is None else stored)
        except BaseException:
            self.suspend()
            raise

    @property
    def outputs(self) -> tuple[str, ...]:
        return OUTPUTS[:1] if self.record.tty else OUTPUTS

    def path(self, name: str) -> str:
        """The FIFO of a stream, or "" where that stream is not connected."""
        wanted = self.record.stdin if name == "stdin" else name in self.outputs
        return str(self._directory / name) if wanted else ""

    @property
    def ended(self) -> bool:
        return self._all_ended.is_set()

    @property
    def outputs_ended(self) -> bool:
        """Whether every output is at its end; also during the last one's own end event."""
        return all(pump.ended for pump in self._pumps.values())

    def restart_ended(self) -> None:
        """Opens streams again that have ended: the task whose create failed is tried once more."""
        if self.ended:
            self._all_ended.clear()
            self._log = self._open_log(tolerant=False)
            self._start({})

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Hands every further chunk to ``subscriber``, which must not block; returns the way out."""
        self._subscribers.append(subscriber)

        def leave() -> None:
            with contextlib.suppress(ValueError):
                self._subscribers.remove(subscriber)

        return leave

    async def drain(self, timeout: float) -> bool:
        """After the task's exit: waits up to ``timeout`` seconds for end of file on every output."""
        for pump in list(self._pumps.values()):
            pump.drain()  # sees the end also where the writer was gone before this process opened the FIFO
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._all_ended.wait(), timeout)
        return self.ended

    def reopen_log(self) -> None:
        """Continues in a fresh file. What is in the pipes by now may go to either; nothing is lost."""
        if self._log is not None:
            self._log.reopen()

    def close_stdin(self) -> None:
        """Gives up the write end for good."""
        if self.stdin is not None and not self.stdin.closed:
            self.stdin.close()
            notify.forget_fds(self._stored_name("stdin"))
            self.record = self.record.with_stdin_closed()
            record.save(self._directory, self.record)

    def suspend(self) -> None:
        """Lets go of everything so that the next pycri-io can go on: the FIFOs and the record stay."""
        for pump in self._pumps.values():
            pump.stop()
        if self._log is not None:
            for name, formatter in self._formatters.items():
                self._write(formatter.suspend(log_timestamp()))
                if name in self._journals:
                    self._journals[name].done(b"")
            self._log.close()
        self._close_journals()
        if self.stdin is not None:
            self.stdin.close()

    def close(self) -> None:
        """Ends the streams and removes the FIFOs; what was read so far is in the log."""
        for name, pump in self._pumps.items():
            if not pump.ended:
                pump.drain()
            if not pump.ended:
                pump.stop()
                self._end(name)
        if self._log is not None:
            self._log.close()
        self._close_journals()
        if self.stdin is not None:
            self.stdin.close()
            notify.forget_fds(self._stored_name("stdin"))
        shutil.rmtree(self._directory, ignore_errors=True)

    def _open_log(self, *, tolerant: bool) -> LogFile | None:
        if not self.record.log_path:
            return None
        return LogFile(self.record.log_directory, self.record.log_path, tolerant=tolerant)

    def _start(self, stored: MutableMapping[str, int]) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        record.save(self._directory, self.record)
        for name in self.outputs:
            read = self._journalled(name) if self._log is not None else None
            fd = self._take(name, stored, fifo.open_reader)
            self._pumps[name] = Pump(fd, self._sink(name), partial(self._end, name), read)
        if self.record.stdin and not self.record.stdin_closed and self.stdin is None:
            self.stdin = StdinWriter(self._take("stdin", stored, fifo.open_writer))

    def _take(self, name: str, stored: MutableMapping[str, int], opened: Callable[[Path], int]) -> int:
        kept = stored.pop(self._stored_name(name), None)
        if kept is not None:
            return kept
        fifo.make_fifo(self._directory / name)
        fd = opened(self._directory / name)
        notify.store_fd(self._stored_name(name), fd)
        return fd

    def _stored_name(self, name: str) -> str:
        return f"{self.record.id}.{name}"

    def _journalled(self, name: str) -> Callable[[int], bytes]:
        """The way to read a stream that is logged; finishes first what a killed process left unfinished."""
        if name not in self._journals:
            journal = self._journals[name] = Journal(self._directory / f"{name}.journal")
            left = journal.unfinished()
            formatter = self._formatters[name]
            formatter.resume(left.pending)
            if left.chunk and self._log is not None:
                # a log that was rotated meanwhile is shorter: its lines come twice rather than never
                self._log.cut(left.log_size)
                self._write(formatter.feed(left.chunk, log_timestamp()))
            journal.done(formatter.pending)
        journal = self._journals[name]

        def read(fd: int) -> bytes:
            assert self._log is not None
            return journal.read(fd, self._log.size())

        return read

    def _close_journals(self) -> None:
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()

    def _sink(self, name: str) -> Callable[[bytes], None]:
        formatter = self._formatters[name]

        def sink(chunk: bytes) -> None:
            if self._log is not None:
                self._write(formatter.feed(chunk, log_timestamp()))
                self._journals[name].done(formatter.pending)
            for subscriber in tuple(self._subscribers):
                subscriber(name, chunk)

        return sink

    def _write(self, lines: bytes) -> None:
        if lines and self._log is not None:
            self._log.write(lines)

    def _end(self, name: str) -> None:
        self._write(self._formatters[name].finish(log_timestamp()))
        if name in self._journals:
            self._journals[name].done(b"")
        notify.forget_fds(self._stored_name(name))
        for subscriber in tuple(self._subscribers):
            subscriber(name, b"")
        if self.outputs_ended:
            self._all_ended.set()
            if self._log is not None:
                self._log.close()
