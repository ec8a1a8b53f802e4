"""Events about containers, as the kubelet's evented PLEG reads them."""

from __future__ import annotations

from pycri._generated import cri_pb2 as cri
from pycri.sandbox.events import SandboxEvents
from pycri.store import ContainerRecord, Store


class ContainerEvents:
    """Builds and publishes; costs nothing while nobody listens."""

    def __init__(self, store: Store, sandboxes: SandboxEvents) -> None:
        self._store = store
        self._sandboxes = sandboxes

    def created(self, record: ContainerRecord) -> None:
        self._publish(record, cri.CONTAINER_CREATED_EVENT)

    def started(self, record: ContainerRecord) -> None:
        self._publish(record, cri.CONTAINER_STARTED_EVENT)

    def stopped(self, record: ContainerRecord) -> None:
        self._publish(record, cri.CONTAINER_STOPPED_EVENT)

    def deleted(self, record: ContainerRecord) -> None:
        self._publish(record, cri.CONTAINER_DELETED_EVENT)

    def _publish(self, record: ContainerRecord, kind: cri.ContainerEventType) -> None:
        self._sandboxes.about(record.id, self._store.sandboxes.find(record.sandbox_id), kind)
