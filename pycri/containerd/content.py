"""containerd's content store: blobs by digest, and the ingests that become blobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from pycri._generated import containerd_content_pb2 as pb
from pycri.containerd.connection import Connection
from pycri.errors import Internal, ResourceExhausted

_SERVICE = pb.DESCRIPTOR.services_by_name["Content"]
_DATA_TAG = bytes([pb.WriteContentRequest.DATA_FIELD_NUMBER << 3 | 2])  # length-delimited


class Content:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def info(self, digest: str) -> pb.Info:
        """Size, times and labels of a blob; NotFound if it is not there."""
        request = pb.InfoRequest(digest=digest)
        return (await self._connection.unary(_SERVICE, "Info", request, pb.InfoResponse)).info

    async def update_labels(self, digest: str, labels: Mapping[str, str]) -> None:
        """Set these labels (an empty value deletes one) and leave the others."""
        info = pb.Info(digest=digest, labels=labels)
        mask = FieldMask(paths=[f"labels.{name}" for name in labels])
        await self._connection.unary(
            _SERVICE, "Update", pb.UpdateRequest(info=info, update_mask=mask), pb.UpdateResponse
        )

    async def list(self, *filters: str) -> Sequence[pb.Info]:
        request = pb.ListContentRequest(filters=filters)
        stream = self._connection.server_stream(_SERVICE, "List", request, pb.ListContentResponse)
        return [info async for message in stream for info in message.info]

    async def delete(self, digest: str) -> None:
        await self._connection.unary(_SERVICE, "Delete", pb.DeleteContentRequest(digest=digest), Empty)

    async def read(self, digest: str, *, offset: int = 0, size: int = 0) -> AsyncIterator[bytes]:
        """The blob's bytes from ``offset``; ``size`` of them, or all that remain."""
        request = pb.ReadContentRequest(digest=digest, offset=offset, size=size)
        async for message in self._connection.server_stream(
            _SERVICE, "Read", request, pb.ReadContentResponse
        ):
            yield message.data

    async def read_all(self, digest: str, limit: int) -> bytes:
        """A small blob whole; ResourceExhausted if it has more than ``limit`` bytes."""
        data = bytearray()
        async for chunk in self.read(digest):
            data += chunk
            if len(data) > limit:
                raise ResourceExhausted(f"content {digest} is larger than {limit} bytes")
        return bytes(data)

    async def statuses(self, *filters: str) -> Sequence[pb.Status]:
        """The ingests under way."""
        request = pb.ListStatusesRequest(filters=filters)
        reply = await self._connection.unary(_SERVICE, "ListStatuses", request, pb.ListStatusesResponse)
        return [*reply.statuses]

    async def abort(self, ref: str) -> None:
        """Drop an ingest and what was written to it."""
        await self._connection.unary(_SERVICE, "Abort", pb.AbortRequest(ref=ref), Empty)

    @asynccontextmanager
    async def writer(self, ref: str, *, total: int, expected: str) -> AsyncIterator[Writer]:
        """Open the ingest ``ref`` for a blob of ``total`` bytes with the digest ``expected``.

        An earlier, unfinished ingest of the same ref is continued: see ``Writer.offset``. Leaving without
        ``commit`` keeps what was written. Raises AlreadyExists if the blob is complete already, Unavailable
        while somebody else holds the ref.
        """
        writer = Writer(self._connection, ref, total, expected)
        try:
            await writer.open()
            yield writer
            await writer.release()
        finally:
            writer.cancel()

    async def write_blob(
        self, ref: str, data: bytes, digest: str, labels: Mapping[str, str] | None = None
    ) -> None:
        """Store a small blob whole. AlreadyExists if it is there."""
        async with self.writer(ref, total=len(data), expected=digest) as writer:
            # An ingest that is complete from the start means that another namespace has the blob.
            if writer.offset not in (0, len(data)):
                await writer.truncate()
            await writer.write(data[writer.offset :])
            await writer.commit(labels)


class Writer:
    """One open ingest. ``offset`` is how many bytes containerd has accepted or been sent."""

    def __init__(self, connection: Connection, ref: str, total: int, expected: str) -> None:
        self.ref = ref
        self.total = total
        self.expected = expected
        self.offset = 0
        self._connection = connection
        self._unanswered = 0
        self._call = connection.bidirectional(_SERVICE, "Write", pb.WriteContentResponse)

    async def open(self) -> None:
        status = await self._exchange(pb.WriteContentRequest(action=pb.STAT))
        self.offset = status.offset

    async def write(self, data: bytes) -> None:
        """Append ``data``, a few MiB at most. Returns when it is sent and an earlier write was accepted."""
        if not data:
            return
        head = pb.WriteContentRequest(action=pb.WRITE, offset=self.offset)
        await self._send(head, data)
        self.offset += len(data)
        self._unanswered += 1
        while self._unanswered > 2:  # sending the next while the last one is written keeps both sides busy
            await self._receive()

    async def truncate(self) -> None:
        """Forget what the ingest holds and start from 0."""
        await self.drain()
        # containerd truncates on a write at an offset before its own end, offset 0 included.
        status = await self._exchange(pb.WriteContentRequest(action=pb.WRITE, offset=0))
        self.offset = status.offset
        if self.offset:
            raise Internal(f"containerd did not truncate the ingest {self.ref}: it is at {self.offset}")

    async def drain(self) -> None:
        """Return when containerd has accepted everything sent."""
        while self._unanswered:
            await self._receive()

    async def commit(self, labels: Mapping[str, str] | None = None) -> None:
        """Make the ingest a blob. containerd verifies the digest: FailedPrecondition if it differs.

        AlreadyExists if the blob is there already (somebody else was faster).
        """
        await self.drain()
        await self._exchange(pb.WriteContentRequest(action=pb.COMMIT, offset=self.offset, labels=labels))

    async def release(self) -> None:
        """End the stream and return once containerd has let go of the ref."""
        if self._call.done():
            return  # ended by an error, which a write or commit has reported
        await self.drain()
        try:
            await self._call.done_writing()
            while await self._call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError as error:
            raise self._connection.translate(error) from None

    def cancel(self) -> None:
        """End the stream at once; containerd keeps the ref locked for some milliseconds more."""
        self._call.cancel()

    async def _exchange(self, request: pb.WriteContentRequest) -> pb.WriteContentResponse:
        await self._send(request)
        return await self._receive(count=False)

    async def _send(self, request: pb.WriteContentRequest, data: bytes = b"") -> None:
        request.ref, request.total, request.expected = self.ref, self.total, self.expected
        try:
            await self._call.write(_encode(request, data))
        except grpc.aio.AioRpcError as error:
            raise self._connection.translate(error) from None
        except asyncio.InvalidStateError:
            # The call ended before this message: its status says why.
            await self._receive(count=False)
            raise

    async def _receive(self, *, count: bool = True) -> pb.WriteContentResponse:
        try:
            reply = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise self._connection.translate(error) from None
        if reply is grpc.aio.EOF:
            raise Internal(f"containerd ended the stream that writes {self.ref}")
        self._unanswered -= count
        answer: pb.WriteContentResponse = reply
        return answer


def _encode(request: pb.WriteContentRequest, data: bytes) -> bytes:
    """``request`` with its field ``data``, which is appended with one copy; protobuf would make three."""
    head = request.SerializeToString()
    return b"".join((head, _DATA_TAG, _varint(len(data)), data)) if data else head


def _varint(number: int) -> bytes:
    """https://protobuf.dev/programming-guides/encoding/#varints"""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
