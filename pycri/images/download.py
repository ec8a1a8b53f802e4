"""Blobs from a registry into containerd's content store, which verifies their digests."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from pycri.containerd import Containerd
from pycri.containerd.connection import lease_id
from pycri.errors import AlreadyExists, FailedPrecondition, NotFound, PycriError, Unavailable
from pycri.images.single_flight import SingleFlight
from pycri.stats.instruments import PULL_BYTES

if TYPE_CHECKING:
    from pycri.containerd.content import Writer
    from pycri.images.manifest import Descriptor
    from pycri.images.registry.repository import BlobStream, Repository

_CHUNK = 1024 * 1024
# A layer of this size is fetched in ranges over several connections; what arrives early waits in memory. On
# loopback nothing is gained by it, on a long way one connection seldom fills the line.
_RANGES_FROM = 128 * 1024 * 1024
_RANGE = 4 * 1024 * 1024
_FRUITLESS_ATTEMPTS = 3
_MAX_ATTEMPTS = 100  # however little each of them brings
_LOCK_POLL = 0.1
_LOCK_WAIT = 30.0

T = TypeVar("T")


class Downloader:
    """Two pulls that need the same blob fetch it once. ``executor`` runs what blocks.

    ``connections`` is how many may fetch one large blob.
    """

    def __init__(self, client: Containerd, executor: ThreadPoolExecutor, connections: int = 1) -> None:
        self._connections = connections
        self._client = client
        self._executor = executor
        self._flights: SingleFlight[None] = SingleFlight(outlive=False)

    async def ensure(self, repository: Repository, blob: Descriptor) -> None:
        """Return when containerd has ``blob``, kept by the current lease.

        Raises RegistryError if it cannot be had, FailedPrecondition if it has not its digest or size.
        """
        from pycri.images.registry.errors import RegistryError

        while not await self.present(blob.digest):
            joined = blob.digest in self._flights
            try:
                await self._flights.do(blob.digest, lambda: self._download(repository, blob))
            except (PycriError, RegistryError):
                if not joined:
                    raise
                # it failed for somebody else, with other credentials or hosts; now with ours
            else:
                if not joined:
                    return  # written under our own lease

    async def present(self, digest: str) -> bool:
        """Whether the blob is there; if it is, the current lease keeps it."""
        if not await self._is_there(digest):
            return False
        if lease := lease_id.get():
            await self._client.leases.add(lease, "content", digest)
            return await self._is_there(digest)  # it may have been collected just before
        return True

    async def _is_there(self, digest: str) -> bool:
        try:
            await self._client.content.info(digest)
        except NotFound:
            return False
        return True

    async def close(self) -> None:
        await self._flights.close()

    async def _download(self, repository: Repository, blob: Descriptor) -> None:
        """Write the blob, going on from where an earlier attempt (or an earlier pycri) stopped."""
        from pycri.images.registry.errors import RegistryError

        fruitless, reached, attempts, locked = 0, -1, 0, 0.0
        while True:
            try:
                async with self._client.content.writer(
                    f"pycri-{blob.digest}", total=blob.size, expected=blob.digest
                ) as writer:
                    try:
                        await self._transfer(repository, blob, writer)
                        await writer.commit()
                    except RegistryError:
                        await writer.drain()  # what did arrive stays
                        raise
                    finally:
                        attempts += 1
                        fruitless = 0 if writer.offset > reached else fruitless + 1
                        reached = max(reached, writer.offset)
                return
            except AlreadyExists:  # noqa: PERF203  # each failure decides whether there is a next attempt
                return
            except FailedPrecondition as error:
                await self._drop(f"pycri-{blob.digest}")
                raise FailedPrecondition(f"layer {blob.digest} is not what was sent: {error}") from None
            except RegistryError as error:
                if not error.temporary or fruitless >= _FRUITLESS_ATTEMPTS or attempts >= _MAX_ATTEMPTS:
                    raise
            except Unavailable as error:
                # The ref of a stream that broke off stays locked for a moment.
                locked += _LOCK_POLL
                if "locked" not in str(error) or locked > _LOCK_WAIT:
                    raise
                await asyncio.sleep(_LOCK_POLL)

    async def _drop(self, ref: str) -> None:
        """Drop an ingest; containerd refuses for a moment, while the stream that wrote it winds up."""
        for _ in range(round(_LOCK_WAIT / _LOCK_POLL)):
            try:
                await self._client.content.abort(ref)
                return
            except NotFound:  # noqa: PERF203  # each answer decides
                return
            except PycriError:
                await asyncio.sleep(_LOCK_POLL)

    async def _transfer(self, repository: Repository, blob: Descriptor, writer: Writer) -> None:
        if writer.offset > blob.size:
            await writer.truncate()
        if writer.offset == blob.size:
            return
        split = self._connections > 1 and blob.size - writer.offset >= _RANGES_FROM
        end = writer.offset + _RANGE if split else None
        stream = await self._open(repository, blob, writer.offset, end)
        try:
            if stream.offset != writer.offset:
                await writer.truncate()
            if end is not None and stream.partial:
                await self._copy_ranges(repository, stream, blob, writer)
            else:
                await self._copy(stream, blob, writer, lambda: self._run(stream.read, _CHUNK))
        finally:
            stream.close()

    def _run(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)

    async def _open(
        self, repository: Repository, blob: Descriptor, start: int, end: int | None
    ) -> BlobStream:
        opening = self._run(repository.open_blob, blob.digest, start, end)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise

    async def _copy_ranges(
        self, repository: Repository, first: BlobStream, blob: Descriptor, writer: Writer
    ) -> None:
        """Several connections ahead of the one writer, which takes the ranges in their order."""

        async def fetch(start: int) -> bytes:
            end = min(start + _RANGE, blob.size)
            stream = first if start == first.offset else await self._open(repository, blob, start, end)
            try:
                return await self._range(stream, start, end)
            finally:
                stream.close()

        starts = iter(range(writer.offset, blob.size, _RANGE))
        ahead = deque(
            asyncio.create_task(fetch(start)) for start in itertools.islice(starts, self._connections)
        )
        try:
            while ahead:
                data = await ahead[0]
                ahead.popleft()
                ahead.extend(asyncio.create_task(fetch(start)) for start in itertools.islice(starts, 1))
                for begin in range(0, len(data), _CHUNK):
                    await writer.write(data[begin : begin + _CHUNK])
                PULL_BYTES.add(amount=len(data))
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _range(self, stream: BlobStream, start: int, end: int) -> bytes:
        from pycri.images.registry.errors import RegistryError

        if stream.offset != start or not stream.partial:
            raise RegistryError(f"{stream.what}: gives ranges at one time and not at another")
        data = await self._run(stream.read, end - start)
        if len(data) != end - start:
            raise RegistryError(f"{stream.what}: ended after {len(data)} of {end - start} bytes of a range")
        return data

    async def _copy(
        self,
        stream: BlobStream,
        blob: Descriptor,
        writer: Writer,
        read: Callable[[], asyncio.Future[bytes]],
    ) -> None:
        """The next chunk is read while the last is written."""
        from pycri.images.registry.errors import RegistryError

        reading = read()
        try:
            while data := await reading:
                if writer.offset + len(data) > blob.size:
                    raise FailedPrecondition(f"more bytes than the manifest states ({blob.size})")
                reading = read()
                await writer.write(data)
                PULL_BYTES.add(amount=len(data))
        finally:
            if not reading.done():
                stream.close()
                await asyncio.wait([reading])
            if not reading.cancelled():
                reading.exception()
        if writer.offset != blob.size:
            raise RegistryError(f"{stream.what}: ended after {writer.offset} of {blob.size} bytes")


def _close_unwanted(opening: asyncio.Future[BlobStream]) -> None:
    """Of a request whose answer came after whoever wanted it had gone."""
    with suppress(Exception):  # it failed: nothing to close
        opening.result().close()
