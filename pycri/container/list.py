"""ListContainers, answered from memory."""

from __future__ import annotations

from pycri._generated import cri_pb2 as cri
from pycri.store import Store


class ListContainers:
    """The verb; the response comes as serialized bytes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, request: cri.ListContainersRequest) -> bytes:
        wanted = request.filter
        return self._store.containers.response(
            record_id=wanted.id,
            state=wanted.state.state if wanted.HasField("state") else None,
            sandbox_id=wanted.pod_sandbox_id,
            labels=dict(wanted.label_selector),
        )
