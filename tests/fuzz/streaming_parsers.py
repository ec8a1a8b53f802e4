"""Coverage-guided fuzzing of everything that parses a streaming client's bytes.

    python -m tests.fuzz.streaming_parsers TARGET [--seconds N] [--corpus DIR] [--keep]

With atheris installed (``pip install atheris``) it guides the search and keeps its corpus in DIR; without, a
mutator of its own runs over the same seeds and targets. Either way: a crash, a hang or growth is a failure,
and the input that caused it is written to DIR. TARGET: spdy, websocket, channels, forwards, http, resize.
What earlier runs found worth keeping is in corpus/TARGET.txt, one input to a line, in base64; ``--keep`` adds
this run's. Every test run replays it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from pycri.streaming.channels import ProtocolError, ResizeParser
from pycri.streaming.http import BadRequest, HeadReader
from pycri.streaming.spdy import frames
from pycri.streaming.spdy.connection import SpdyConnection
from pycri.streaming.spdy.errors import SpdyError
from pycri.streaming.spdy_channels import SpdyChannels
from pycri.streaming.spdy_forwards import SpdyForwards
from pycri.streaming.websocket.connection import WebSocketConnection, WebSocketError
from pycri.streaming.websocket_channels import WebSocketChannels
from pycri.streaming.websocket_forwards import ChannelForwards, TunnelledForwards
from tests.unit.pycri.streaming.test_spdy import Peer
from tests.unit.pycri.streaming.test_websocket import frame

CORPUS = Path(__file__).parent / "corpus"
MAX_INPUT = 4096
HANG_SECONDS = 2.0
# What a parser may hold and owe after one input: a control frame, a few replies for each frame of it.
MAX_HELD = 64 * 1024


def spdy(data: bytes) -> None:
    connection = SpdyConnection()
    try:
        for piece in pieces(data):
            connection.receive(piece)
    except SpdyError:
        pass
    bounded(len(connection._reader._buffer), len(connection.take_output()))


def websocket(data: bytes) -> None:
    connection = WebSocketConnection()
    try:
        for piece in pieces(data):
            connection.receive(piece)
    except WebSocketError:
        pass
    bounded(len(connection._buffer), len(connection.take_output()))


def channels(data: bytes) -> None:
    version, data = (data[0], data[1:]) if data else (0, b"")
    names = ("stdin", "stdout", "stderr")
    made = (
        SpdyChannels(4, names, tty=True),
        SpdyChannels(1, names, tty=False),
        WebSocketChannels(5, names, tty=True),
        WebSocketChannels(4, names, tty=True, base64_text=True),
    )[version % 4]
    made.start()
    try:
        for piece in pieces(data):
            made.receive(piece)
    except ProtocolError:
        pass
    bounded(len(made.take_output()))


def forwards(data: bytes) -> None:
    version, data = (data[0], data[1:]) if data else (0, b"")
    made = (SpdyForwards(), TunnelledForwards(), ChannelForwards([80]))[version % 3]
    made.start()
    try:
        for piece in pieces(data):
            made.receive(piece)
    except ProtocolError:
        pass
    made.expire(0.0)
    made.expire(1000.0)
    bounded(len(made.take_output()))


def http(data: bytes) -> None:
    reader = HeadReader()
    try:
        for piece in pieces(data):
            if reader.feed(piece) is not None:
                break
    except BadRequest:
        pass
    bounded(len(reader._buffer))


def resize(data: bytes) -> None:
    parser = ResizeParser()
    for piece in pieces(data):
        list(parser.feed(piece))
    bounded(len(parser._text))


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (spdy, websocket, channels, forwards, http, resize)
}


def pieces(data: bytes) -> list[bytes]:
    """The input cut in three, at places that the input itself chooses."""
    if len(data) < 3:
        return [data]
    first, second = sorted((data[0] * len(data) // 256, data[-1] * len(data) // 256))
    return [data[:first], data[first:second], data[second:]]


def bounded(*sizes: int) -> None:
    if max(sizes) > MAX_HELD:
        raise AssertionError(f"a parser holds or owes {max(sizes)} bytes after {MAX_INPUT} of input")


def seeds(name: str) -> list[bytes]:
    """Well-formed conversations to start from."""
    peer = Peer()
    talk = b"".join(
        peer.syn(number, streamType=kind, port="80", requestID="0")
        for number, kind in ((1, "error"), (3, "data"), (5, "stdin"), (7, "stdout"), (9, "resize"))
    )
    talk += frames.data_frame(3, b"GET /") + frames.data_frame(9, b'{"Width":80,"Height":24}', True)
    talk += frames.control_frame(frames.PING, b"\0\0\0\1") + peer.rst(3)
    socket = (
        frame(2, b"\x00ls\n") + frame(9, b"ping") + frame(1, b"0bHM=") + frame(2, b"\xff\x00") + frame(8, b"")
    )
    head = b"POST /exec/abc HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
    by_name = {
        "spdy": [talk],
        "websocket": [socket, frame(2, talk)],
        "channels": [b"\0" + talk, b"\2" + socket, b"\3" + socket],
        "forwards": [b"\0" + talk, b"\1" + frame(2, talk), b"\2" + socket],
        "http": [head],
        "resize": [b'{"Width":80,"Height":24}\n' * 3],
    }
    return by_name[name]


def kept(name: str) -> list[bytes]:
    """What earlier runs found."""
    path = CORPUS / f"{name}.txt"
    return [base64.b64decode(line) for line in path.read_text().split()] if path.exists() else []


def keep(name: str, corpus: Path) -> None:
    found = {path.read_bytes() for path in corpus.iterdir() if not path.name.startswith("crash")}
    lines = sorted(base64.b64encode(data).decode() for data in found | set(kept(name)) if data)
    (CORPUS / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--corpus", type=Path, help="default: a new temporary directory")
    parser.add_argument("--keep", action="store_true", help="add what was found to corpus/TARGET.txt")
    options = parser.parse_args()
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="nodestrap-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in [*seeds(options.target), *kept(options.target)]:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    child = os.fork() if options.keep else 0
    if child:  # atheris ends its process by itself
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        keep(options.target, corpus)
        return status
    try:
        import atheris
    except ImportError:
        return mutate(TARGETS[options.target], corpus, options.seconds)
    arguments = [sys.argv[0], str(corpus), f"-max_total_time={int(options.seconds)}", f"-max_len={MAX_INPUT}"]
    for name, module in list(sys.modules.items()):
        if name.startswith("pycri.streaming"):
            _instrument(module, atheris)
    atheris.Setup([*arguments, f"-timeout={HANG_SECONDS:.0f}"], TARGETS[options.target])
    atheris.Fuzz()
    return 0


def _instrument(module: ModuleType, atheris: Any) -> None:
    """Only what is under test: instrumenting every function of the process takes minutes."""
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", "") != module.__name__:
            continue
        if isinstance(value, FunctionType):
            setattr(module, name, atheris.instrument_func(value))
        elif isinstance(value, type):
            for attribute, function in list(vars(value).items()):
                if isinstance(function, FunctionType):
                    setattr(value, attribute, atheris.instrument_func(function))


def mutate(target: Callable[[bytes], None], corpus: Path, seconds: float) -> int:
    """Without atheris: flips, cuts, repeats and splices of the corpus."""
    generator = random.Random(time.time_ns())
    known = [path.read_bytes() for path in sorted(corpus.iterdir()) if not path.name.startswith("crash")]
    end, runs = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = bytearray(generator.choice(known))
        for _ in range(generator.randint(1, 8)):
            _change(data, generator, known)
        candidate = bytes(data[:MAX_INPUT])
        started = time.monotonic()
        try:
            target(candidate)
            if time.monotonic() - started > HANG_SECONDS:
                raise TimeoutError(f"an input took {time.monotonic() - started:.1f} s")
        except Exception:
            (corpus / f"crash-{hashlib.sha256(candidate).hexdigest()[:16]}").write_bytes(candidate)
            raise
        runs += 1
    print(f"{runs} inputs in {seconds:.0f} s, no crash, no hang, no growth; corpus in {corpus}")
    return 0


def _change(data: bytearray, generator: random.Random, known: list[bytes]) -> None:
    at = generator.randrange(len(data) + 1)
    kind = generator.randrange(5)
    if kind == 0 and data:
        data[at % len(data)] ^= 1 << generator.randrange(8)
    elif kind == 1 and data:
        data[at % len(data)] = generator.choice((0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256)))
    elif kind == 2:
        del data[at : at + generator.randint(1, 16)]
    elif kind == 3:
        data[at:at] = data[at : at + generator.randint(1, 64)]
    else:
        other = generator.choice(known)
        start = generator.randrange(len(other) + 1)
        data[at:at] = other[start : start + generator.randint(1, 64)]


if __name__ == "__main__":
    sys.exit(main())
