"""Name/value blocks: one zlib stream for each direction of a connection, with a preset dictionary."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from pycri.streaming.spdy.errors import SpdyError

MAX_BLOCK_BYTES = 16 * 1024  # inflated; Kubernetes' largest is a few hundred
MAX_HEADERS = 64

# The dictionary's strings, in the specification's order; each with its length in front, then plain text.
_PLAIN = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges "
    "age allow authorization cache-control connection content-base content-encoding content-language "
    "content-length content-location content-md5 content-range content-type date etag expect expires from "
    "host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location "
    "max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer "
    "transfer-encoding upgrade user-agent vary via warning www-authenticate method get status"
)
_COUNTED = [
    *_PLAIN.split(),
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
]
_CODES = (
    "100 101 201 202 205 206 300 302 303 304 305 306 307 402 405 406 407 408 409 410 411 412 413 414 415 416 "
    "417 502 504 505"
).replace(" ", "")
_REASONS = (
    "203 Non-Authoritative Information,204 No Content,301 Moved Permanently,400 Bad Request,401 Unauthorized,"
    "403 Forbidden,404 Not Found,500 Internal Server Error,501 Not Implemented,503 Service Unavailable"
).replace(",", "")
_WORDS = (
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)

DICTIONARY = (
    b"".join(struct.pack(">I", len(text)) + text.encode() for text in _COUNTED)
    + (_CODES + _REASONS + _WORDS).encode()
)


class HeaderEncoder:
    """Compresses the blocks of one direction, in order."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)

    def encode(self, headers: Mapping[str, str]) -> bytes:
        block = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode("latin-1"), value.encode("latin-1")):
                block += (struct.pack(">I", len(text)), text)
        return self._zlib.compress(b"".join(block)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


class HeaderDecoder:
    """Inflates the blocks of one direction, in order, each to at most MAX_BLOCK_BYTES."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def decode(self, block: bytes) -> dict[str, str]:
        """Names are lower case, values as sent. Raises SpdyError; the connection is of no use then."""
        try:
            plain = self._zlib.decompress(block, MAX_BLOCK_BYTES + 1)
        except zlib.error as error:
            raise SpdyError(f"a header block does not inflate: {error}") from None
        if len(plain) > MAX_BLOCK_BYTES:
            raise SpdyError(f"a header block inflates to more than {MAX_BLOCK_BYTES} bytes")
        if self._zlib.eof:
            raise SpdyError("the header compression stream was ended")
        return _parse(plain)


def _parse(plain: bytes) -> dict[str, str]:
    if len(plain) < 4:
        raise SpdyError("a header block is cut short")
    (count,) = struct.unpack_from(">I", plain)
    if count > MAX_HEADERS:
        raise SpdyError(f"a header block has {count} headers, more than {MAX_HEADERS}")
    headers: dict[str, str] = {}
    position = 4
    for _ in range(count):
        name, position = _text(plain, position)
        value, position = _text(plain, position)
        if not name or name.lower() in headers:
            raise SpdyError(f"header {name!r} is empty or there twice")
        headers[name.lower()] = value
    if position != len(plain):
        raise SpdyError("a header block has bytes after its last header")
    return headers


def _text(plain: bytes, position: int) -> tuple[str, int]:
    if position + 4 > len(plain):
        raise SpdyError("a header block is cut short")
    (size,) = struct.unpack_from(">I", plain, position)
    end = position + 4 + size
    if end > len(plain):
        raise SpdyError("a header is longer than its block")
    return plain[position + 4 : end].decode("latin-1"), end
