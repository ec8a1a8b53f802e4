"""An exec or attach session: standard streams here, a process's there, until it ends."""

from __future__ import annotations

import contextlib
import os
import select
from argparse import Namespace

from pycri.ctl.errors import CtlError
from pycri.ctl.streams.terminal import DetachKeys, Terminal
from pycri.ctl.streams.wire import Wire, connect
from pycri.streaming.spdy.connection import DataReceived, StreamEnded, StreamReset
from pycri.streaming.status import Status
from pycri.streaming.upgrade import CHANNELS

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_DETACHED = Status()


def run_session(url: str, chosen: Namespace, *, stdin: bool, tty: bool) -> int:
    """Follow the URL; the process's exit code, 0 when the user left. Raises CtlError.

    With `tty` our standard input must be a terminal, and there is no standard error of its own.
    """
    if tty and not stdin:
        raise CtlError("-t needs -i", code=2)
    with contextlib.ExitStack() as stack:
        terminal = Terminal(_STDIN) if tty else None
        wire = stack.enter_context(contextlib.closing(connect(url, CHANNELS, chosen)))
        if terminal is not None:
            stack.enter_context(terminal)
        status = _Session(wire, terminal, stdin=stdin).run()
    if status.error:
        raise CtlError(status.error)
    return status.exit_code


class _Session:
    def __init__(self, wire: Wire, terminal: Terminal | None, *, stdin: bool) -> None:
        self._wire, self._terminal = wire, terminal
        self._reads_stdin = stdin
        self._keys = DetachKeys() if terminal else None
        names = ["error", *(["stdin"] if stdin else []), "stdout", "resize" if terminal else "stderr"]
        self._ids = {name: wire.spdy.open({"streamType": name}) for name in names}
        self._open = {self._ids[name] for name in names if name not in ("stdin", "resize")}
        self._error = b""
        if terminal:
            wire.spdy.send(self._ids["resize"], terminal.size())

    def run(self) -> Status:
        """Until the server has ended error, stdout and stderr, or the connection."""
        while self._open and not self._wire.closed:
            self._wire.flush()
            for descriptor in self._ready():
                if descriptor == _STDIN and self._forward_input():
                    return _DETACHED
                if self._terminal and descriptor == self._terminal.resized.fileno():
                    self._wire.spdy.send(self._ids["resize"], self._terminal.new_size())
            self._take()
        return Status.decode(self._error)

    def _ready(self) -> set[int]:
        """Descriptors with something to read. poll, unlike epoll, knows regular files too."""
        poll = select.poll()
        poll.register(self._wire, select.POLLIN | (select.POLLOUT if self._wire.has_output else 0))
        if self._reads_stdin and not self._wire.is_full:
            poll.register(_STDIN, select.POLLIN)
        if self._terminal:
            poll.register(self._terminal.resized, select.POLLIN)
        return {
            descriptor
            for descriptor, events in poll.poll(0 if self._wire.has_input else None)
            if events & ~select.POLLOUT
        }

    def _forward_input(self) -> bool:
        """From our standard input to the process's; whether the user left."""
        data = os.read(_STDIN, 1 << 16)
        self._reads_stdin = bool(data)
        left = False
        if self._keys and data:
            data, left = self._keys.feed(data)
        if data or not self._reads_stdin:
            self._wire.spdy.send(self._ids["stdin"], data, fin=not self._reads_stdin)
        return left

    def _take(self) -> None:
        for event in self._wire.receive():
            if isinstance(event, DataReceived):
                self._write(event.stream_id, event.data)
            elif isinstance(event, StreamEnded | StreamReset):
                self._open.discard(event.stream_id)

    def _write(self, stream_id: int, data: bytes) -> None:
        if stream_id == self._ids["error"]:
            self._error += data
            return
        descriptor = _STDOUT if stream_id == self._ids["stdout"] else _STDERR
        while data:
            data = data[os.write(descriptor, data) :]
