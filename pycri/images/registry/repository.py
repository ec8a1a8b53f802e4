"""One repository, wherever its hosts.toml says that it can be had: mirrors first, then the registry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import urllib3
from urllib3.exceptions import HTTPError

from pycri.images import digests, media_types
from pycri.images.reference import Reference
from pycri.images.registry.credentials import Credentials
from pycri.images.registry.endpoint import Endpoint, read_bounded
from pycri.images.registry.errors import RegistryError
from pycri.images.registry.hosts import Host

_ACCEPT = ", ".join(
    [*sorted(media_types.INDEXES), *sorted(media_types.MANIFESTS), "application/json;q=0.5", "*/*;q=0.1"]
)
_MAX_MANIFEST = 8 * 1024 * 1024
_FIRST_DELAY, _MAX_DELAY = 0.5, 60.0
_ATTEMPTS = 5
_ATTEMPTS_WITHOUT_ANSWER = 3  # nobody listens, or no such name: the kubelet will be back soon enough
_NO_HEAD = frozenset({400, 404, 405, 501})  # what some registries answer to HEAD alone

T = TypeVar("T")


@dataclass(frozen=True)
class Document:
    """A manifest or index as served; ``digest`` is computed from the bytes."""

    data: bytes
    media_type: str
    digest: str


class BlobStream:
    """A blob's bytes from ``offset``, which is 0 if the server would not start where it was asked to.

    ``partial``: the server gave the range that it was asked for.
    """

    def __init__(
        self, response: urllib3.BaseHTTPResponse, offset: int, what: str, *, partial: bool = False
    ) -> None:
        self.what = what
        self.offset = offset
        self.partial = partial
        self._response = response
        self._failure: RegistryError | None = None

    def read(self, size: int) -> bytes:
        """``size`` bytes, fewer before a failure, none at the end. Raises RegistryError, always temporary."""
        parts, missing = [], size
        while missing and self._failure is None:
            try:
                part: bytes = self._response.read1(missing, decode_content=False)
            except (HTTPError, OSError, ValueError) as error:
                self._failure = RegistryError(f"{self.what}: {error}")
                break
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        if not parts and self._failure is not None:
            raise self._failure
        return b"".join(parts)

    def close(self) -> None:
        """Also from another thread: a read that waits for bytes there returns at once."""
        shutdown = getattr(self._response, "shutdown", None)  # urllib3 2.3 and later
        if shutdown is not None:
            # ValueError, RuntimeError: it has been read to its end, and has no connection any more
            with suppress(OSError, ValueError, RuntimeError):
                shutdown()
        self._response.close()


class Repository:
    """Methods block: call them in worker threads. ``stopped`` ends waits between attempts."""

    def __init__(
        self,
        reference: Reference,
        hosts: Sequence[Host],
        credentials: Credentials | None,
        timeout: float,
        stopped: threading.Event,
    ) -> None:
        self.reference = reference
        self._stopped = stopped
        self._endpoints = [
            Endpoint(host, reference.path, credentials if host.is_registry else None, timeout)
            for host in hosts
        ]
        self._shunned: set[Endpoint] = set()

    def resolve(self, known: str = "") -> Document | None:
        """The manifest or index that the reference names. None if its digest is ``known``.

        Asks with HEAD when there is a known digest: registries that count pulls do not count those.
        Raises RegistryError.
        """
        name = self.reference.object
        if known:
            endpoints = self._pullers() if digests.is_digest(name) else self._resolvers()
            try:
                if self._all(lambda endpoint: self._head(endpoint, name), endpoints) == known:
                    return None
            except RegistryError as error:
                if error.status not in _NO_HEAD:
                    raise
        return self.manifest(name)

    def manifest(self, name: str) -> Document:
        """A manifest by digest, verified, or by tag."""
        by_digest = digests.is_digest(name)
        endpoints = self._pullers() if by_digest else self._resolvers()
        return self._all(lambda endpoint: self._manifest(endpoint, name), endpoints)

    def open_blob(self, digest: str, offset: int, end: int | None = None) -> BlobStream:
        """The bytes from ``offset`` up to ``end`` (not included), or to the blob's own."""
        return self._all(lambda endpoint: self._blob(endpoint, digest, offset, end), self._pullers())

    def read_blob(self, digest: str, size: int) -> bytes:
        """A small blob of exactly ``size`` bytes, verified."""
        return self._all(lambda endpoint: self._whole_blob(endpoint, digest, size), self._pullers())

    def close(self) -> None:
        for endpoint in self._endpoints:
            endpoint.close()

    def _resolvers(self) -> list[Endpoint]:
        return [endpoint for endpoint in self._endpoints if endpoint.host.can_resolve]

    def _pullers(self) -> list[Endpoint]:
        return [endpoint for endpoint in self._endpoints if endpoint.host.can_pull]

    def _all(self, ask: Callable[[Endpoint], T], endpoints: list[Endpoint]) -> T:
        """Ask each endpoint in turn, and all of them again while any failure may pass.

        One that did not answer goes to the end of the line for the rest of this pull.
        """
        if not endpoints:
            raise RegistryError(f"hosts.toml leaves no host to pull {self.reference} from", status=400)
        delay = _FIRST_DELAY
        for attempt in range(1, _ATTEMPTS + 1):
            failures = []
            for endpoint in sorted(endpoints, key=lambda each: each in self._shunned):
                try:
                    return ask(endpoint)
                except RegistryError as error:  # noqa: PERF203  # the next host is asked
                    failures.append(error)
                    if error.temporary:
                        self._shunned.add(endpoint)
            temporary = [error for error in failures if error.temporary]
            enough = _ATTEMPTS if any(error.status for error in temporary) else _ATTEMPTS_WITHOUT_ANSWER
            if not temporary or attempt >= enough:
                raise _summary(failures)
            asked = [error.retry_after for error in temporary if error.retry_after is not None]
            if self._stopped.wait(min(max(delay, min(asked, default=0.0)), _MAX_DELAY)):
                raise _summary(failures)
            delay *= 2
        raise AssertionError("the last attempt raises")

    def _head(self, endpoint: Endpoint, name: str) -> str:
        path = self._path(endpoint, "manifests", name)
        response = endpoint.get(path, {"Accept": _ACCEPT}, method="HEAD")
        response.release_conn()
        digest: str = response.headers.get("Docker-Content-Digest", "")
        return digest

    def _manifest(self, endpoint: Endpoint, name: str) -> Document:
        path = self._path(endpoint, "manifests", name)
        response = endpoint.get(path, {"Accept": _ACCEPT})
        what = f"{endpoint.host.url}{path}"
        data = read_bounded(response, _MAX_MANIFEST, what)
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if digests.is_digest(name):
            if not digests.matches(data, name):
                raise RegistryError(f"{what}: the content does not have that digest", status=400)
            return Document(data, media_type, name)
        return Document(data, media_type, digests.sha256(data))

    def _blob(self, endpoint: Endpoint, digest: str, offset: int, end: int | None) -> BlobStream:
        path = self._path(endpoint, "blobs", digest)
        what = f"{endpoint.host.url}{path}"
        wanted = f"bytes={offset}-{'' if end is None else end - 1}"
        headers = {"Range": wanted} if offset or end is not None else {}
        response = endpoint.get(path, headers)
        if not headers or response.status != 206:
            return BlobStream(response, 0, what)
        if not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            response.close()
            raise RegistryError(f"{what}: answered another range than bytes {offset}-", status=400)
        return BlobStream(response, offset, what, partial=True)

    def _whole_blob(self, endpoint: Endpoint, digest: str, size: int) -> bytes:
        path = self._path(endpoint, "blobs", digest)
        what = f"{endpoint.host.url}{path}"
        data = read_bounded(endpoint.get(path, {}), size, what)
        if len(data) != size or not digests.matches(data, digest):
            raise RegistryError(f"{what}: the content does not have that digest", status=400)
        return data

    def _path(self, endpoint: Endpoint, kind: str, name: str) -> str:
        """A mirror is told which registry is meant, as it may serve several."""
        namespace = "" if endpoint.host.is_registry else f"?ns={self.reference.domain}"
        return f"/{self.reference.path}/{kind}/{name}{namespace}"


def _summary(failures: Sequence[RegistryError]) -> RegistryError:
    """All hosts' failures; it counts as the last host's, which is the registry itself."""
    last = failures[-1]
    if len(failures) == 1:
        return last
    return RegistryError("; ".join(str(error) for error in failures), status=last.status)
