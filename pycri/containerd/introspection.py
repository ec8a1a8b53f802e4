"""What this containerd is made of: plugins, their state, the server's identity."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.empty_pb2 import Empty

from pycri._generated import containerd_introspection_pb2 as pb
from pycri.containerd.connection import Connection

_SERVICE = pb.DESCRIPTOR.services_by_name["Introspection"]


class Introspection:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def plugins(self, *filters: str) -> Sequence[pb.Plugin]:
        """The plugins that any of ``filters`` matches (``type==io.containerd.grpc.v1,id==cri``)."""
        request = pb.PluginsRequest(filters=filters)
        return [*(await self._connection.unary(_SERVICE, "Plugins", request, pb.PluginsResponse)).plugins]

    async def server(self) -> pb.ServerResponse:
        """containerd's UUID; its pid and deprecations from 1.7 on."""
        return await self._connection.unary(_SERVICE, "Server", Empty(), pb.ServerResponse)

    async def plugin_info(self, kind: str, plugin_id: str) -> pb.PluginInfoResponse:
        """One plugin with its own description (2.0 and later; Unimplemented before)."""
        request = pb.PluginInfoRequest(type=kind, id=plugin_id)
        return await self._connection.unary(_SERVICE, "PluginInfo", request, pb.PluginInfoResponse)
