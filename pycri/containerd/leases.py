"""containerd's leases: what is made under one is not garbage collected while it lives."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from google.protobuf.empty_pb2 import Empty

from pycri._generated import containerd_leases_pb2 as pb
from pycri.containerd.connection import Connection, lease_id
from pycri.errors import NotFound

_SERVICE = pb.DESCRIPTOR.services_by_name["Leases"]
_EXPIRE_LABEL = "containerd.io/gc.expire"


@contextmanager
def current_lease(lease: str) -> Iterator[None]:
    """Calls made inside (and in tasks started inside) carry the lease ``lease``."""
    token = lease_id.set(lease)
    try:
        yield
    finally:
        lease_id.reset(token)


class Leases:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def hold(
        self, purpose: str, *, expire: float, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[str]:
        """Make a lease, use it for the calls inside, delete it at the end.

        ``expire`` (seconds) is when containerd drops it by itself, for a pycri that dies in between.
        """
        lease = f"pycri-{purpose}-{secrets.token_hex(8)}"
        await self.create(lease, expire=expire, labels=labels)
        try:
            with current_lease(lease):
                yield lease
        finally:
            with suppress(NotFound):  # it expired
                await self.delete(lease)

    async def create(
        self, lease: str, *, expire: float | None = None, labels: Mapping[str, str] | None = None
    ) -> pb.Lease:
        """A lease named ``lease``, for ever or for ``expire`` seconds."""
        labels = dict(labels or {})
        if expire is not None:
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=expire)
            labels[_EXPIRE_LABEL] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        request = pb.CreateRequest(id=lease, labels=labels)
        return (await self._connection.unary(_SERVICE, "Create", request, pb.CreateResponse)).lease

    async def delete(self, lease: str, *, sync: bool = False) -> None:
        """Delete; with ``sync``, return after the garbage collection that it allows."""
        await self._connection.unary(_SERVICE, "Delete", pb.DeleteRequest(id=lease, sync=sync), Empty)

    async def list(self, *filters: str) -> Sequence[pb.Lease]:
        request = pb.ListRequest(filters=filters)
        return [*(await self._connection.unary(_SERVICE, "List", request, pb.ListResponse)).leases]

    async def add(self, lease: str, kind: str, resource: str) -> None:
        """Hold one resource: ``content`` and a digest, or ``snapshots/overlayfs`` and a key."""
        request = pb.AddResourceRequest(id=lease, resource=pb.Resource(id=resource, type=kind))
        await self._connection.unary(_SERVICE, "AddResource", request, Empty)

    async def remove(self, lease: str, kind: str, resource: str) -> None:
        request = pb.DeleteResourceRequest(id=lease, resource=pb.Resource(id=resource, type=kind))
        await self._connection.unary(_SERVICE, "DeleteResource", request, Empty)

    async def resources(self, lease: str) -> Sequence[pb.Resource]:
        request = pb.ListResourcesRequest(id=lease)
        reply = await self._connection.unary(_SERVICE, "ListResources", request, pb.ListResourcesResponse)
        return [*reply.resources]
