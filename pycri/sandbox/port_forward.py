"""PortForward: prepares a session into a pod's network namespace."""

from __future__ import annotations

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.io.client import DataPlaneClient
from pycri.store import Store


class PortForward:
    """The verb; returns the session's URL."""

    def __init__(self, store: Store, io: DataPlaneClient) -> None:
        self._store = store
        self._io = io

    async def __call__(self, request: cri.PortForwardRequest) -> cri.PortForwardResponse:
        """Raises NotFound, FailedPrecondition (sandbox not ready)."""
        record = self._store.sandboxes.get(request.pod_sandbox_id)
        if not record.ready:
            raise errors.FailedPrecondition(f"sandbox {record.id} is not ready")
        url = await self._io.prepare_port_forward(record.id, record.netns, request.port)
        return cri.PortForwardResponse(url=url)
