"""The user's terminal, while a process has one of its own: raw, its size passed on, with keys to leave."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import termios
import tty
from types import FrameType

from pycri.ctl.errors import CtlError

_DETACH = b"\x10\x11"  # ctrl-p, ctrl-q


class Terminal:
    """``with Terminal(0) as terminal:`` every key is passed on; ``resized`` is readable after a change."""

    def __init__(self, descriptor: int) -> None:
        """Raises CtlError: it is no terminal."""
        if not os.isatty(descriptor):
            raise CtlError("-t needs a terminal as standard input", code=2)
        self._descriptor = descriptor
        self.resized, self._wakeup = socket.socketpair()

    def __enter__(self) -> Terminal:
        self._saved = termios.tcgetattr(self._descriptor)
        tty.setraw(self._descriptor)
        self._wakeup.setblocking(False)
        self._handler = signal.signal(signal.SIGWINCH, self._changed)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGWINCH, self._handler)
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._saved)
        self.resized.close()
        self._wakeup.close()

    def size(self) -> bytes:
        """For the resize stream."""
        columns, lines = os.get_terminal_size(self._descriptor)
        return json.dumps({"Width": columns, "Height": lines}).encode() + b"\n"

    def new_size(self) -> bytes:
        """The size, after ``resized`` was readable."""
        self.resized.recv(4096)
        return self.size()

    def _changed(self, _number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):  # unread news is news enough
            self._wakeup.send(b"x")


class DetachKeys:
    """Finds the keys that leave a session without ending it."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to pass on, and whether the user left; a first key waits for the second."""
        data, self._held = self._held + data, b""
        before, found, _ = data.partition(_DETACH)
        if found:
            return before, True
        if data.endswith(_DETACH[:1]):
            self._held = data[-1:]
            return data[:-1], False
        return data, False
