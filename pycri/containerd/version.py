"""containerd's version."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty

from pycri._generated import containerd_version_pb2 as pb
from pycri.containerd.connection import Connection

_SERVICE = pb.DESCRIPTOR.services_by_name["Version"]


class Version:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self) -> pb.VersionResponse:
        """``version`` and ``revision`` as containerd was built with them (Debian: ``1.6.20~ds1``)."""
        return await self._connection.unary(_SERVICE, "Version", Empty(), pb.VersionResponse)
