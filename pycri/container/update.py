"""UpdateContainerResources."""

from __future__ import annotations

import dataclasses
import json

from pycri import errors, windows
from pycri._generated import cri_pb2 as cri
from pycri._generated.containerd_containers_pb2 import Container
from pycri.attempts import Locks
from pycri.container.spec import resources
from pycri.containerd import Containerd
from pycri.containerd.anys import RESOURCES_TYPE_URL, SPEC_TYPE_URL, pack_json
from pycri.store import ContainerRecord, Store, records


class UpdateContainerResources:
    """The verb. Only what the request sets is changed (the CRI's zero means: leave)."""

    def __init__(self, store: Store, containerd: Containerd, locks: Locks) -> None:
        self._store = store
        self._containerd = containerd
        self._locks = locks

    async def __call__(
        self, request: cri.UpdateContainerResourcesRequest
    ) -> cri.UpdateContainerResourcesResponse:
        """Raises NotFound, FailedPrecondition (ended), InvalidArgument, and what the runtime reports."""
        windows.refuse(request)
        found = self._store.containers.get(request.container_id)
        async with self._locks.hold(found.id):
            record = self._store.containers.get(found.id)
            if record.state not in (records.CREATED, records.RUNNING) or record.removing:
                raise errors.FailedPrecondition(f"container {record.id} has ended")
            await self._update(record, request.linux)
        return cri.UpdateContainerResourcesResponse()

    async def _update(self, record: ContainerRecord, wanted: cri.LinuxContainerResources) -> None:
        config = cri.ContainerConfig()
        config.CopyFrom(record.config)
        merged = config.linux.resources
        _merge(merged, wanted)
        limits = resources.of_container(merged)
        # The stored spec first: a container that is created, or started again after us, has the new limits.
        stored = await self._containerd.containers.get(record.id)
        spec = json.loads(stored.spec.value)
        spec["linux"]["resources"] = {**spec["linux"].get("resources", {}), **limits}
        await self._containerd.containers.update(
            Container(id=record.id, spec=pack_json(SPEC_TYPE_URL, spec)), "spec"
        )
        if record.state == records.RUNNING:
            await self._containerd.tasks.update(record.id, pack_json(RESOURCES_TYPE_URL, limits))
        await self._store.put(dataclasses.replace(record, config=config))


def _merge(into: cri.LinuxContainerResources, wanted: cri.LinuxContainerResources) -> None:
    for field, value in wanted.ListFields():
        if field.name in ("hugepage_limits", "unified"):
            into.ClearField(field.name)
        elif field.name != "oom_score_adj":  # fixed at creation
            setattr(into, field.name, value)
    into.hugepage_limits.extend(wanted.hugepage_limits)
    into.unified.update(wanted.unified)
