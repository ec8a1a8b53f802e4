"""containerd's namespaces. Using one is enough to bring it into being; these calls label and remove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.empty_pb2 import Empty

from pycri._generated import containerd_namespaces_pb2 as pb
from pycri.containerd.connection import Connection

_SERVICE = pb.DESCRIPTOR.services_by_name["Namespaces"]


class Namespaces:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, name: str) -> pb.Namespace:
        request = pb.GetNamespaceRequest(name=name)
        return (await self._connection.unary(_SERVICE, "Get", request, pb.GetNamespaceResponse)).namespace

    async def list(self) -> Sequence[pb.Namespace]:
        request = pb.ListNamespacesRequest()
        return [
            *(await self._connection.unary(_SERVICE, "List", request, pb.ListNamespacesResponse)).namespaces
        ]

    async def create(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        request = pb.CreateNamespaceRequest(namespace=pb.Namespace(name=name, labels=labels))
        await self._connection.unary(_SERVICE, "Create", request, pb.CreateNamespaceResponse)

    async def delete(self, name: str) -> None:
        """Delete an empty namespace; FailedPrecondition while anything is left in it."""
        await self._connection.unary(_SERVICE, "Delete", pb.DeleteNamespaceRequest(name=name), Empty)
