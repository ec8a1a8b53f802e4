"""ListContainers, answered from memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pycri._generated import cri_pb2 as cri
from pycri.store import Store


class ListContainers:
    """The verb; the response comes as serialized bytes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, request: cri.ListContainersRequest) -> bytes:
        return self._store.containers.response(**_conditions(request.filter))

    async def stream(self, request: cri.StreamContainersRequest) -> AsyncIterator[bytes]:
        """StreamContainers: the same entries, in messages of bounded size."""
        for part in self._store.containers.responses(**_conditions(request.filter)):
            yield part


def _conditions(wanted: cri.ContainerFilter) -> dict[str, Any]:
    return {
        "record_id": wanted.id,
        "state": wanted.state.state if wanted.HasField("state") else None,
        "sandbox_id": wanted.pod_sandbox_id,
        "labels": dict(wanted.label_selector),
    }
