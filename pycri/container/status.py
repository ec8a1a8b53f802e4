"""ContainerStatus."""

from __future__ import annotations

import json
from typing import Any, cast

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.config import Config
from pycri.containerd import Containerd
from pycri.handlers import Handlers
from pycri.store import ContainerRecord, Store


class ContainerStatus:
    """The verb."""

    def __init__(self, config: Config, store: Store, containerd: Containerd, handlers: Handlers) -> None:
        self._config = config
        self._store = store
        self._containerd = containerd
        self._handlers = handlers

    async def __call__(self, request: cri.ContainerStatusRequest) -> cri.ContainerStatusResponse:
        """Raises NotFound."""
        record = self._store.containers.get(request.container_id)
        response = cri.ContainerStatusResponse(status=of_record(record))
        if request.verbose:
            response.info["info"] = json.dumps(await self._info(record))
        return response

    async def _info(self, record: ContainerRecord) -> dict[str, Any]:
        """The keys that crictl users know."""
        from google.protobuf.json_format import MessageToDict  # only verbose answers need it

        sandbox = self._store.sandboxes.find(record.sandbox_id)
        info: dict[str, Any] = {
            "sandboxID": record.sandbox_id,
            "pid": record.pid,
            "removing": record.removing,
            "snapshotKey": record.id,
            "snapshotter": self._config.containerd.snapshotter,
            "runtimeType": self._handlers.get(sandbox.handler if sandbox else "").type,
            "config": MessageToDict(record.config, preserving_proto_field_name=True),
        }
        try:
            found = await self._containerd.containers.get(record.id)
            info["runtimeSpec"] = json.loads(found.spec.value)
        except errors.NotFound:
            pass  # being removed
        return info


def of_record(record: ContainerRecord) -> cri.ContainerStatus:
    """The CRI status of a container."""
    config = record.config
    uid, gid, groups = record.user
    return cri.ContainerStatus(
        id=record.id,
        metadata=config.metadata,
        state=cast(cri.ContainerState, record.state),
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        exit_code=record.exit_code,
        image=cri.ImageSpec(
            image=record.image_name,
            annotations=config.image.annotations,
            user_specified_image=config.image.user_specified_image,
            runtime_handler=config.image.runtime_handler,
        ),
        image_ref=record.image_ref,
        image_id=record.image_id,
        reason=record.reason,
        message=record.message,
        labels=config.labels,
        annotations=config.annotations,
        mounts=_mounts(record),
        log_path=record.log_path,
        resources=cri.ContainerResources(linux=config.linux.resources),
        user=cri.ContainerUser(linux=cri.LinuxContainerUser(uid=uid, gid=gid, supplemental_groups=groups)),
        stop_signal=config.stop_signal,
    )


def _mounts(record: ContainerRecord) -> list[cri.Mount]:
    """As asked for; an image volume says which image it turned out to be."""
    found = []
    for index, asked in enumerate(record.config.mounts):
        mount = cri.Mount()
        mount.CopyFrom(asked)
        if record.image_volumes and record.image_volumes[index]:
            mount.image.image_ref = record.image_volumes[index]
        found.append(mount)
    return found
