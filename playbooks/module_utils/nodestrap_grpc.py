"""Whether a gRPC server on a unix socket answers. Just enough of HTTP/2 is spoken here: the host needs no
gRPC library.
"""

from __future__ import annotations

import socket
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
ACK = END_STREAM = 0x1
END_HEADERS = 0x4


class NotReady(Exception):
    """The call was not answered; the text says why."""


def frame(kind, flags, stream, payload=b""):
    """One HTTP/2 frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def text(value):
    """An HPACK string without Huffman coding (RFC 7541, section 5.2); all of ours are shorter than 127
    bytes.
    """
    data = value.encode()
    return bytes([len(data)]) + data


def request(method):
    """Preface, settings and the whole call: HPACK literals without indexing, then an empty message."""
    headers = b"\x83\x86"  # :method POST, :scheme http
    headers += b"\x04" + text(method) + b"\x01" + text("localhost")  # :path, :authority
    headers += (
        b"\x00" + text("content-type") + text("application/grpc") + b"\x00" + text("te") + text("trailers")
    )
    call = frame(HEADERS, END_HEADERS, 1, headers) + frame(DATA, END_STREAM, 1, b"\0" * 5)
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0) + call


def call(path, method, timeout):
    """Return the answer's message. Raises NotReady."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(path)
            connection.sendall(request(method))
            return answer(connection)
        except OSError as error:
            raise NotReady(f"{path}: {error}") from error


def answer(connection):
    body = b""
    while True:
        length, kind, flags, stream = struct.unpack(">IBBI", b"\0" + exactly(connection, 9))
        payload = exactly(connection, length)
        if kind in (SETTINGS, PING) and not flags & ACK:
            connection.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == DATA and stream == 1:
            body += payload
        if kind == GOAWAY or (
            stream == 1 and (kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM))
        ):
            break
    if len(body) < 5:
        raise NotReady("the server answered with an error, without a message")
    return body[5:]


def exactly(connection, size):
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise NotReady("the server closed the connection")
        data += chunk
    return data


def text_fields(message):
    """The top-level length-delimited fields of a protobuf message, as text. Raises NotReady."""
    fields, at = {}, 0
    while at < len(message):
        key, size = message[at], message[at + 1] if at + 1 < len(message) else 0
        if key & 7 != 2 or key > 0x7F or size > 0x7F:
            raise NotReady(f"an answer that is not of the expected kind: {message[:64]!r}")
        fields[str(key >> 3)] = message[at + 2 : at + 2 + size].decode("utf-8", "replace")
        at += 2 + size
    return fields


def explain(module, asked, error):
    """Fail with all that helps."""
    unit = asked["unit"]
    state = module.run_command(["systemctl", "show", "-p", "ActiveState,SubState,Result,NRestarts", unit])[1]
    log = module.run_command(
        ["journalctl", "--no-pager", "-q", "-b", "-o", "short-iso", "-n", "30", "-u", unit]
    )[1]
    module.fail_json(
        msg="{} does not answer {} after {} s: {}\n{}: {}\n{}".format(
            asked["socket"],
            asked["method"],
            asked["timeout"],
            error,
            unit,
            ", ".join(state.split()),
            log.strip() or "its journal is empty",
        )
    )


def wait(module, asked):
    """The answer's text fields, by number; fails when the time is up.

    ``asked`` has ``socket``, a path; ``method``, ``/package.Service/Method``, whose message is
    empty; ``unit``, which serves it; and ``timeout``, in seconds.
    """
    deadline = time.monotonic() + asked["timeout"]
    while True:
        try:
            left = max(1.0, deadline - time.monotonic())
            return text_fields(call(asked["socket"], asked["method"], left))
        except NotReady as error:
            if time.monotonic() >= deadline:
                return explain(module, asked, error)
        time.sleep(0.1)
