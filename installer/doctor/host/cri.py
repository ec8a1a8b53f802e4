"""Just enough gRPC and protobuf to read a CRI endpoint, without either library."""

import socket
import struct
from typing import Any, Dict, Iterator, List, Tuple, Union  # noqa: UP035 - Python 3.6

# ruff: noqa: UP006, UP007 - Python 3.6

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
WINDOW = (1 << 31) - 1 - 65535  # bytes that the server may send beyond what it may anyway
LARGEST = 16 << 20  # bytes of an answer

Message = Dict[int, List[Any]]


class CallError(Exception):
    """The call was not answered with a message; the text says why."""


def call(path: str, method: str, request: bytes = b"", timeout: float = 5.0) -> Message:
    """Call ``/package.Service/Method`` on a unix socket. Raises CallError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(path)
            connection.sendall(opening(method, request))
            body = answer(connection)
        except OSError as error:
            raise CallError(error.strerror or str(error)) from None
    return decode(body)


def opening(method: str, request: bytes) -> bytes:
    """Preface, settings, window and the whole call: HPACK literals that are not indexed."""
    headers = b"\x83\x86"  # :method POST, :scheme http
    headers += b"\x04" + hpack(method) + b"\x01" + hpack("localhost")  # :path, :authority
    headers += b"\x00" + hpack("content-type") + hpack("application/grpc")
    headers += b"\x00" + hpack("te") + hpack("trailers")
    message = b"\0" + struct.pack(">I", len(request)) + request
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + frame(SETTINGS, 0, 0)
        + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW))
        + frame(HEADERS, END_HEADERS, 1, headers)
        + frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", WINDOW))
        + frame(DATA, END_STREAM, 1, message)
    )


def hpack(value: str) -> bytes:
    """A string without Huffman coding (RFC 7541, section 5.2); all of ours are shorter than 127 bytes."""
    data = value.encode()
    return bytes([len(data)]) + data


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """RFC 9113, section 4.1."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def answer(connection: socket.socket) -> bytes:
    body, last = b"", b""
    while len(body) <= LARGEST:
        length, kind, flags, stream = struct.unpack(">IBBI", b"\0" + exactly(connection, 9))
        payload = exactly(connection, length)
        if kind in (SETTINGS, PING) and not flags & ACK:
            connection.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == DATA and stream == 1:
            body += payload
        elif kind == HEADERS and stream == 1:
            last = payload
        ended = kind in (DATA, HEADERS) and flags & END_STREAM
        if kind == GOAWAY or (stream == 1 and (kind == RST_STREAM or ended)):
            break
    if len(body) < 5:
        raise CallError(complaint(last))
    return body[5:]


def complaint(trailers: bytes) -> str:
    """What the server says, where it says so in plain bytes; many do."""
    _, found, rest = trailers.partition(b"grpc-message")
    if found and rest and rest[0] < 127:
        return rest[1 : 1 + rest[0]].decode(errors="replace")
    return "the server refuses the call"


def exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise CallError("the server closed the connection")
        data += chunk
    return data


def decode(data: bytes) -> Message:
    """A message's fields by number: whole numbers, or bytes (text and messages alike)."""
    found: Message = {}
    for number, value in fields(data):
        found.setdefault(number, []).append(value)
    return found


def fields(data: bytes) -> Iterator[Tuple[int, Union[int, bytes]]]:
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
            yield key >> 3, value
        elif kind == 2:
            size, at = varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise CallError("an answer that is no protobuf message")


def varint(data: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise CallError("an answer that is no protobuf message")
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def text(message: Message, field: int) -> str:
    """A text field; empty when it is not there."""
    value = message.get(field, [b""])[-1]
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def number(message: Message, field: int) -> int:
    """A whole number; 0 when it is not there."""
    value = message.get(field, [0])[-1]
    return value if isinstance(value, int) else 0


def inner(message: Message, field: int) -> Message:
    """A message in a message; empty when it is not there."""
    return decode(message.get(field, [b""])[-1])


def string(field: int, value: str) -> bytes:
    """A text or message field, encoded."""
    return nested(field, value.encode())


def nested(field: int, data: bytes) -> bytes:
    size, encoded = len(data), b""
    while size > 127:
        encoded += bytes([size & 127 | 128])
        size >>= 7
    return bytes([field << 3 | 2]) + encoded + bytes([size]) + data
