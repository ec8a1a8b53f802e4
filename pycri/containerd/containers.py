"""containerd's container records (metadata only; what runs is a task)."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from pycri._generated import containerd_containers_pb2 as pb
from pycri.containerd.connection import Connection

_SERVICE = pb.DESCRIPTOR.services_by_name["Containers"]


class Containers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, container_id: str) -> pb.Container:
        reply = await self._connection.unary(
            _SERVICE, "Get", pb.GetContainerRequest(id=container_id), pb.GetContainerResponse
        )
        return reply.container

    async def list(self, *filters: str) -> Sequence[pb.Container]:
        """The containers that any of ``filters`` matches (containerd's filter syntax); all without one.

        Streamed, because a single message with a thousand specs would pass containerd's size limit.
        """
        request = pb.ListContainersRequest(filters=filters)
        stream = self._connection.server_stream(_SERVICE, "ListStream", request, pb.ListContainerMessage)
        return [message.container async for message in stream]

    async def create(self, container: pb.Container) -> pb.Container:
        reply = await self._connection.unary(
            _SERVICE, "Create", pb.CreateContainerRequest(container=container), pb.CreateContainerResponse
        )
        return reply.container

    async def update(self, container: pb.Container, *fields: str) -> pb.Container:
        """Store the named fields of ``container`` (``labels``, ``extensions.NAME``, ``spec`` …)."""
        request = pb.UpdateContainerRequest(container=container, update_mask=FieldMask(paths=fields))
        reply = await self._connection.unary(_SERVICE, "Update", request, pb.UpdateContainerResponse)
        return reply.container

    async def delete(self, container_id: str) -> None:
        await self._connection.unary(_SERVICE, "Delete", pb.DeleteContainerRequest(id=container_id), Empty)
