"""Events about sandboxes, as the kubelet's evented PLEG reads them."""

from __future__ import annotations

import time

from pycri._generated import cri_pb2 as cri
from pycri.container.status import of_record as container_status
from pycri.publisher import Publisher
from pycri.sandbox.status import of_record
from pycri.store import SandboxRecord, Store


class SandboxEvents:
    """Builds and publishes; costs nothing while nobody listens."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self._store = store
        self._publisher = publisher

    def created(self, record: SandboxRecord) -> None:
        """RunPodSandbox has succeeded: created and started are one step here."""
        self._publish(record, cri.CONTAINER_CREATED_EVENT)
        self._publish(record, cri.CONTAINER_STARTED_EVENT)

    def stopped(self, record: SandboxRecord) -> None:
        self._publish(record, cri.CONTAINER_STOPPED_EVENT)

    def deleted(self, record: SandboxRecord) -> None:
        self._publish(record, cri.CONTAINER_DELETED_EVENT)

    def _publish(self, record: SandboxRecord, kind: cri.ContainerEventType) -> None:
        self.about(record.id, record, kind)

    def about(self, container_id: str, sandbox: SandboxRecord | None, kind: cri.ContainerEventType) -> None:
        """An event about ``container_id`` (a sandbox's or a container's), with its pod as it is now."""
        if not self._publisher.wanted:
            return
        event = cri.ContainerEventResponse(
            container_id=container_id, container_event_type=kind, created_at=time.time_ns()
        )
        if sandbox is not None:
            event.pod_sandbox_status.CopyFrom(of_record(sandbox))
            members = (found for found in self._store.containers.of_sandbox(sandbox.id) if found.listed)
            event.containers_statuses.extend(container_status(found) for found in members)
        self._publisher.publish(event)
