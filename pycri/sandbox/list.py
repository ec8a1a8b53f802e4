"""ListPodSandbox, answered from memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pycri._generated import cri_pb2 as cri
from pycri.store import Store


class ListPodSandbox:
    """The verb; the response comes as serialized bytes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, request: cri.ListPodSandboxRequest) -> bytes:
        return self._store.sandboxes.response(**_conditions(request.filter))

    async def stream(self, request: cri.StreamPodSandboxesRequest) -> AsyncIterator[bytes]:
        """StreamPodSandboxes: the same entries, in messages of bounded size."""
        for part in self._store.sandboxes.responses(**_conditions(request.filter)):
            yield part


def _conditions(wanted: cri.PodSandboxFilter) -> dict[str, Any]:
    return {
        "record_id": wanted.id,
        "state": wanted.state.state if wanted.HasField("state") else None,
        "labels": dict(wanted.label_selector),
    }
