"""PodSandboxStatus."""

from __future__ import annotations

import json
import time
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.config import Config
from pycri.containerd import Containerd
from pycri.handlers import Handlers
from pycri.store import SandboxRecord, Store


class PodSandboxStatus:
    """The verb."""

    def __init__(self, config: Config, store: Store, containerd: Containerd, handlers: Handlers) -> None:
        self._config = config
        self._store = store
        self._containerd = containerd
        self._handlers = handlers

    async def __call__(self, request: cri.PodSandboxStatusRequest) -> cri.PodSandboxStatusResponse:
        """Raises NotFound."""
        record = self._store.sandboxes.get(request.pod_sandbox_id)
        response = cri.PodSandboxStatusResponse(status=of_record(record), timestamp=time.time_ns())
        if request.verbose:
            response.info["info"] = json.dumps(await self._info(record))
        return response

    async def _info(self, record: SandboxRecord) -> dict[str, Any]:
        """The keys that crictl users know."""
        from google.protobuf.json_format import MessageToDict  # only verbose answers need it

        info: dict[str, Any] = {
            "pid": record.pid,
            "processStatus": "running" if record.ready else "stopped",
            "netNamespaceClosed": record.stopped,
            "image": self._config.images.sandbox_image,
            "snapshotKey": record.id,
            "snapshotter": self._config.containerd.snapshotter,
            "runtimeHandler": record.handler,
            "runtimeType": self._handlers.get(record.handler).type,
            "config": MessageToDict(record.config, preserving_proto_field_name=True),
        }
        if record.result:
            info["cniResult"] = json.loads(record.result)
        try:
            found = await self._containerd.containers.get(record.id)
            info["runtimeSpec"] = json.loads(found.spec.value)
        except errors.NotFound:
            pass  # stopped: the record is ours alone
        return info


def of_record(record: SandboxRecord) -> cri.PodSandboxStatus:
    """The CRI status of a sandbox."""
    network = cri.PodSandboxNetworkStatus()
    if record.ips and record.ready:
        network.ip = record.ips[0]
        network.additional_ips.extend(cri.PodIP(ip=ip) for ip in record.ips[1:])
    options = record.config.linux.security_context.namespace_options
    return cri.PodSandboxStatus(
        id=record.id,
        metadata=record.config.metadata,
        state=cri.SANDBOX_READY if record.ready else cri.SANDBOX_NOTREADY,
        created_at=record.created_at,
        network=network,
        linux=cri.LinuxPodSandboxStatus(namespaces=cri.Namespace(options=options)),
        labels=record.config.labels,
        annotations=record.config.annotations,
        runtime_handler=record.handler,
    )
