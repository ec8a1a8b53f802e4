"""As much of HTTP/1.1 as an upgrade needs (RFC 9112), without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


class BadRequest(Exception):
    """The request cannot be served; ``status`` and the text are the answer."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """A request's head; ``headers`` have lower-case names and every value that was sent."""

    method: str
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]

    def words(self, name: str) -> list[str]:
        """A header's comma-separated values, as they are."""
        return [
            word.strip() for value in self.headers.get(name, ()) for word in value.split(",") if word.strip()
        ]

    def has_word(self, name: str, word: str) -> bool:
        return word.lower() in (present.lower() for present in self.words(name))

    def first(self, name: str) -> str:
        return next(iter(self.headers.get(name, ())), "")


class HeadReader:
    """Gathers a request's head, at most MAX_HEAD_BYTES."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> tuple[Request, bytes] | None:
        """The request and the bytes after its head, or None while it is incomplete. Raises BadRequest."""
        searched = max(len(self._buffer) - 3, 0)
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n", searched)
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large")
        if end < 0:
            return None
        rest, self._buffer, head = self._buffer[end + 4 :], b"", self._buffer[:end]
        return _parse(head), rest


def _parse(head: bytes) -> Request:
    lines = head.split(b"\r\n")
    words = lines[0].split(b" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not re.fullmatch(rb"[\x21-\x7e]+", words[1]):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the request line is malformed")
    if words[2] != b"HTTP/1.1":
        raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 can be upgraded")
    if len(lines) - 1 > MAX_HEADERS:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request has too many headers")
    headers: dict[str, tuple[str, ...]] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadRequest(HTTPStatus.BAD_REQUEST, "a header is malformed")
        key = name.decode().lower()
        headers[key] = (*headers.get(key, ()), value.strip(b" \t").decode("latin-1"))
    # A body would be taken for the upgraded protocol's bytes.
    if headers.get("transfer-encoding") or any(size != "0" for size in headers.get("content-length", ())):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "a request to upgrade has no body")
    path, _, query = words[1].decode().partition("?")
    return Request(words[0].decode(), path, query, headers)


def response(status: HTTPStatus, headers: Iterable[tuple[str, str]] = (), body: str = "") -> bytes:
    """A whole response; the connection ends after anything but 101."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers)]
    content = body.encode()
    if status is not HTTPStatus.SWITCHING_PROTOCOLS:
        lines += [
            "Content-Type: text/plain; charset=utf-8",
            "X-Content-Type-Options: nosniff",
            f"Content-Length: {len(content)}",
            "Connection: close",
        ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content
