"""UpdatePodSandboxResources: notes what the kubelet set on the pod's cgroup."""

from __future__ import annotations

import base64

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.store import Store


class UpdatePodSandboxResources:
    """The verb. The kubelet has changed the pod's cgroup itself; runtimes with a VM would resize it here."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(
        self, request: cri.UpdatePodSandboxResourcesRequest
    ) -> cri.UpdatePodSandboxResourcesResponse:
        """Raises NotFound, FailedPrecondition (sandbox not ready)."""
        record = self._store.sandboxes.get(request.pod_sandbox_id)
        if not record.ready:
            raise errors.FailedPrecondition(f"sandbox {record.id} is not ready")
        changes = {
            name: base64.b64encode(getattr(request, name).SerializeToString()).decode()
            for name in ("overhead", "resources")
            if request.HasField(name)
        }
        await self._store.update_sandbox(record.id, **changes)
        return cri.UpdatePodSandboxResourcesResponse()
