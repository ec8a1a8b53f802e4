"""containerd's sandbox store (1.7 and later; every call raises Unimplemented on 1.6).

A record here is what lets 2.x start a pod's containers in the pod's own shim without executing it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycri import errors
from pycri._generated import containerd_sandboxes_pb2 as pb
from pycri.containerd.connection import Connection

if TYPE_CHECKING:
    from pycri._generated.containerd_types_pb2 import Sandbox

_SERVICE = pb.DESCRIPTOR.services_by_name["Store"]


class Sandboxes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, sandbox: Sandbox) -> Sandbox:
        request = pb.StoreCreateRequest(sandbox=sandbox)
        return (await self._connection.unary(_SERVICE, "Create", request, pb.StoreCreateResponse)).sandbox

    async def get(self, sandbox_id: str) -> Sandbox:
        request = pb.StoreGetRequest(sandbox_id=sandbox_id)
        return (await self._connection.unary(_SERVICE, "Get", request, pb.StoreGetResponse)).sandbox

    async def list(self, *filters: str) -> Sequence[Sandbox]:
        request = pb.StoreListRequest(filters=filters)
        return [*(await self._connection.unary(_SERVICE, "List", request, pb.StoreListResponse)).list]

    async def update(self, sandbox: Sandbox, *fields: str) -> Sandbox:
        request = pb.StoreUpdateRequest(sandbox=sandbox, fields=fields)
        return (await self._connection.unary(_SERVICE, "Update", request, pb.StoreUpdateResponse)).sandbox

    async def delete(self, sandbox_id: str) -> None:
        """Raises NotFound."""
        request = pb.StoreDeleteRequest(sandbox_id=sandbox_id)
        try:
            await self._connection.unary(_SERVICE, "Delete", request, pb.StoreDeleteResponse)
        except errors.Unknown as error:
            # 1.7 has no status of its own for this; the text is its database's
            if not str(error).endswith("bucket not found"):
                raise
            raise errors.NotFound(str(error)) from None
