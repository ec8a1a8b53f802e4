"""containerd's snapshots: root file systems and their layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from pycri._generated import containerd_snapshots_pb2 as pb
from pycri.containerd.connection import Connection

if TYPE_CHECKING:
    from pycri._generated.containerd_types_pb2 import Mount

_SERVICE = pb.DESCRIPTOR.services_by_name["Snapshots"]


class Snapshots:
    """Every method takes the snapshotter's name first (``overlayfs``)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def prepare(
        self, snapshotter: str, key: str, parent: str, labels: Mapping[str, str] | None = None
    ) -> Sequence[Mount]:
        """A writable snapshot ``key`` over the committed ``parent``; the mounts that make it up."""
        request = pb.PrepareSnapshotRequest(snapshotter=snapshotter, key=key, parent=parent, labels=labels)
        reply = await self._connection.unary(_SERVICE, "Prepare", request, pb.PrepareSnapshotResponse)
        return [*reply.mounts]

    async def view(
        self, snapshotter: str, key: str, parent: str, labels: Mapping[str, str] | None = None
    ) -> Sequence[Mount]:
        """As ``prepare``, read-only."""
        request = pb.ViewSnapshotRequest(snapshotter=snapshotter, key=key, parent=parent, labels=labels)
        return [*(await self._connection.unary(_SERVICE, "View", request, pb.ViewSnapshotResponse)).mounts]

    async def mounts(self, snapshotter: str, key: str) -> Sequence[Mount]:
        request = pb.MountsRequest(snapshotter=snapshotter, key=key)
        return [*(await self._connection.unary(_SERVICE, "Mounts", request, pb.MountsResponse)).mounts]

    async def commit(
        self, snapshotter: str, name: str, key: str, labels: Mapping[str, str] | None = None
    ) -> None:
        """Make the active snapshot ``key`` the committed, read-only ``name``."""
        request = pb.CommitSnapshotRequest(snapshotter=snapshotter, name=name, key=key, labels=labels)
        await self._connection.unary(_SERVICE, "Commit", request, Empty)

    async def remove(self, snapshotter: str, key: str) -> None:
        request = pb.RemoveSnapshotRequest(snapshotter=snapshotter, key=key)
        await self._connection.unary(_SERVICE, "Remove", request, Empty)

    async def stat(self, snapshotter: str, key: str) -> pb.Info:
        request = pb.StatSnapshotRequest(snapshotter=snapshotter, key=key)
        return (await self._connection.unary(_SERVICE, "Stat", request, pb.StatSnapshotResponse)).info

    async def update(self, snapshotter: str, info: pb.Info, *fields: str) -> pb.Info:
        """Store the named fields of ``info`` (``labels.NAME``)."""
        request = pb.UpdateSnapshotRequest(
            snapshotter=snapshotter, info=info, update_mask=FieldMask(paths=fields)
        )
        return (await self._connection.unary(_SERVICE, "Update", request, pb.UpdateSnapshotResponse)).info

    async def list(self, snapshotter: str, *filters: str) -> Sequence[pb.Info]:
        request = pb.ListSnapshotsRequest(snapshotter=snapshotter, filters=filters)
        stream = self._connection.server_stream(_SERVICE, "List", request, pb.ListSnapshotsResponse)
        return [info async for message in stream for info in message.info]

    async def usage(self, snapshotter: str, key: str) -> pb.UsageResponse:
        """Bytes and inodes of this snapshot alone, without its parents."""
        request = pb.UsageRequest(snapshotter=snapshotter, key=key)
        return await self._connection.unary(_SERVICE, "Usage", request, pb.UsageResponse)

    async def cleanup(self, snapshotter: str) -> None:
        """Remove what deleted snapshots left on disk. Unimplemented with some snapshotters."""
        await self._connection.unary(_SERVICE, "Cleanup", pb.CleanupRequest(snapshotter=snapshotter), Empty)
