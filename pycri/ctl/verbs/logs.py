"""Print a container's log, from the file that the runtime writes."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CallError, CtlError
from pycri.ctl.log_lines import LogLine, parse, seek_tail, since

_LOOK = 0.1  # s between two looks at the end of a file that grows
_ASK = 1.0  # s between two questions whether the container still runs


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("container", metavar="CONTAINER-ID")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the container ends")
    parser.add_argument(
        "-p", "--previous", action="store_true", help="of the container's attempt before this"
    )
    parser.add_argument("-r", "--reopen", action="store_true", help="have the runtime reopen the file first")
    parser.add_argument("--tail", type=int, default=-1, metavar="N", help="the last N lines")
    parser.add_argument("--limit-bytes", type=int, default=-1, metavar="N", help="no more than that")
    parser.add_argument("--since", metavar="TIME", help="42m ago, or from 2026-01-02T13:23:37 on")
    parser.add_argument("-t", "--timestamps", action="store_true", help="with the time of each line")
    parser.add_argument("-s", "--stream", choices=("stdout", "stderr"), help="only this one")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CtlError: no such container, or it has no log."""
    if chosen.tail >= 0 and chosen.stream:
        raise CtlError("--tail and --stream exclude each other", code=2)
    earliest = since(chosen.since) if chosen.since else None
    if chosen.reopen:
        client.call("ReopenContainerLog", cri.ReopenContainerLogRequest(container_id=chosen.container))
    status = client.call("ContainerStatus", cri.ContainerStatusRequest(container_id=chosen.container)).status
    if not status.log_path:
        raise CtlError(f"container {chosen.container} has no log")
    path = Path(status.log_path)
    if chosen.previous:
        if not status.metadata.attempt:
            raise CtlError(f"container {status.metadata.name} has no attempt before this one")
        path = path.with_name(f"{status.metadata.attempt - 1}{path.suffix}")

    def runs() -> bool:
        return chosen.follow and _runs(client, status.id)

    lines = _entries(path, chosen.tail, chosen.follow, runs)
    _Printer(chosen, earliest).show(lines)


def _runs(client: Client, container: str) -> bool:
    """A runtime that is away for a moment says nothing about its containers."""
    try:
        request = cri.ContainerStatusRequest(container_id=container)
        return bool(client.call("ContainerStatus", request).status.state == cri.CONTAINER_RUNNING)
    except CallError as error:
        return error.status == "UNAVAILABLE"


def _entries(path: Path, tail: int, follow: bool, runs: Callable[[], bool]) -> Iterator[LogLine]:
    """Entries from the file, over its rotations while `follow`, until the container has ended."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise CtlError(f"the log cannot be read: {error}") from None
    try:
        if tail >= 0:
            seek_tail(file, tail)
        pending, ended, asked = b"", False, 0.0
        while True:
            piece = file.readline()
            if piece:
                pending += piece
                if pending.endswith(b"\n"):
                    yield from _parsed(pending)
                    pending = b""
                continue
            if path.exists() and path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                file.close()
                file = path.open("rb")  # rotated: what was in the old file has been read
                continue
            if ended or not follow:
                break
            sys.stdout.flush()
            if time.monotonic() - asked >= _ASK:
                asked = time.monotonic()
                ended = not runs()
            if not ended:
                time.sleep(_LOOK)
        yield from _parsed(pending)
    finally:
        file.close()


def _parsed(line: bytes) -> Iterator[LogLine]:
    if line:
        try:
            yield parse(line)
        except ValueError as error:
            print(f"warning: {error}", file=sys.stderr)


class _Printer:
    def __init__(self, chosen: Namespace, earliest: int | None) -> None:
        self._timestamps = chosen.timestamps
        self._stream = chosen.stream
        self._earliest = earliest
        self._left = chosen.limit_bytes if chosen.limit_bytes >= 0 else None
        self._begins = True  # a line, not the rest of one

    def show(self, lines: Iterator[LogLine]) -> None:
        """Print until the end or the limit."""
        for line in lines:
            if self._left == 0:
                return
            self._print(line)
        sys.stdout.flush()

    def _print(self, line: LogLine) -> None:
        begins, self._begins = self._begins, line.content.endswith(b"\n")
        if self._stream not in (None, line.stream):
            return
        if self._earliest is not None and line.nanoseconds < self._earliest:
            return
        text = line.content
        if self._timestamps and begins:
            text = f"{line.fixed_time} ".encode() + text
        if self._left is not None:
            text = text[: self._left]
            self._left -= len(text)
        target = sys.stdout if line.stream == "stdout" else sys.stderr
        target.buffer.write(text)
        if target is sys.stderr:
            target.buffer.flush()
