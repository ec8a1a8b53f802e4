"""RemoveContainer."""

from __future__ import annotations

import dataclasses

from pycri._generated import cri_pb2 as cri
from pycri.attempts import Attempts, Locks, ignore_missing, together
from pycri.config import Config
from pycri.container.events import ContainerEvents
from pycri.container.image_volumes import ImageVolumes
from pycri.container.stop import StopContainer
from pycri.containerd import Containerd
from pycri.io.client import DataPlaneClient
from pycri.store import ContainerRecord, Store


class RemoveContainer:
    """The verb. Idempotent; a running container is killed first (CRI)."""

    def __init__(
        self,
        config: Config,
        store: Store,
        containerd: Containerd,
        io: DataPlaneClient,
        stop: StopContainer,
        events: ContainerEvents,
        attempts: Attempts,
        locks: Locks,
        image_volumes: ImageVolumes,
    ) -> None:
        self._image_volumes = image_volumes
        self._snapshotter = config.containerd.snapshotter
        self._store = store
        self._containerd = containerd
        self._io = io
        self._stop = stop
        self._events = events
        self._attempts = attempts
        self._locks = locks

    async def __call__(self, request: cri.RemoveContainerRequest) -> cri.RemoveContainerResponse:
        record = self._store.containers.find(request.container_id)
        if record is not None:
            await self.remove(record)
        return cri.RemoveContainerResponse()

    async def remove(self, record: ContainerRecord) -> None:
        await self._attempts.join(("remove", record.id), lambda: self._remove(record.id))

    async def _remove(self, container_id: str) -> None:
        async with self._locks.hold(container_id):  # a start or an exit under way is finished first
            record = self._store.containers.find(container_id)
            if record is None:
                return
            self._store.put_soon(dataclasses.replace(record, removing=True))
        await self._stop.stop(record, 0)
        async with self._locks.hold(container_id):  # its task is deleted, and its root unmounted
            await together(
                ignore_missing(self._containerd.containers.delete(container_id)),
                ignore_missing(self._containerd.snapshots.remove(self._snapshotter, container_id)),
                self._io.close(container_id),
                self._image_volumes.unmount(container_id),
            )
            record = self._store.containers.get(container_id)
            await self._store.drop(record)  # committed: it does not come back after a crash
        self._events.deleted(record)
