"""containerd's diff service: applies a layer to a snapshot's mounts, or makes one of the difference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pycri._generated import containerd_diff_pb2 as pb
from pycri.containerd.connection import Connection

if TYPE_CHECKING:
    from pycri._generated.containerd_types_pb2 import Descriptor, Mount

_SERVICE = pb.DESCRIPTOR.services_by_name["Diff"]


class Diff:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def apply(self, layer: Descriptor, mounts: Iterable[Mount]) -> Descriptor:
        """Unpack ``layer`` from the content store over ``mounts``; the descriptor of the uncompressed tar.

        Its digest is the layer's diff id, computed by containerd: compare it with the image config's.
        """
        request = pb.ApplyRequest(diff=layer, mounts=mounts)
        return (await self._connection.unary(_SERVICE, "Apply", request, pb.ApplyResponse)).applied

    async def diff(
        self, left: Iterable[Mount], right: Iterable[Mount], media_type: str, ref: str
    ) -> Descriptor:
        """What ``right`` has changed over ``left``, as a layer in the content store."""
        request = pb.DiffRequest(left=left, right=right, media_type=media_type, ref=ref)
        return (await self._connection.unary(_SERVICE, "Diff", request, pb.DiffResponse)).diff
