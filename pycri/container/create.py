"""CreateContainer: snapshot, spec, containerd record. Nothing runs yet."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import secrets
import time
from contextlib import AsyncExitStack
from pathlib import Path

from pycri import cgroups, errors, labels, windows
from pycri._generated import cri_pb2 as cri
from pycri._generated.containerd_containers_pb2 import Container
from pycri.attempts import Attempts, ignore_missing, together
from pycri.config import Config
from pycri.container.events import ContainerEvents
from pycri.container.image_volumes import ImageResolver, ImageVolumes
from pycri.container.spec import id_mappings
from pycri.container.spec.build import Pod, container_spec
from pycri.container.spec.process import user_of
from pycri.container.spec.users import UserFiles
from pycri.container.stop_signal import number_of
from pycri.container.user_files import UserFilesCache
from pycri.containerd import Containerd
from pycri.containerd.anys import SPEC_TYPE_URL, pack_json
from pycri.handlers import Handlers
from pycri.image import Image
from pycri.rootfs import RootFilesystems
from pycri.sandbox import files
from pycri.sandbox.pause import extension
from pycri.store import ContainerRecord, SandboxRecord, Store, records

log = logging.getLogger(__name__)

_UNDO_TIMEOUT = 60.0


class CreateContainer:
    """The verb. A retry of the same request joins the attempt, or gets the created container."""

    def __init__(
        self,
        config: Config,
        cgroup_driver: str,
        store: Store,
        containerd: Containerd,
        images: ImageResolver,
        handlers: Handlers,
        events: ContainerEvents,
        attempts: Attempts,
        image_volumes: ImageVolumes,
        rootfs: RootFilesystems,
    ) -> None:
        self._rootfs = rootfs
        self._image_volumes = image_volumes
        self._config = config
        self._cgroup_driver = cgroup_driver
        self._store = store
        self._containerd = containerd
        self._images = images
        self._handlers = handlers
        self._events = events
        self._attempts = attempts
        self._snapshotter = config.containerd.snapshotter
        self._user_files = UserFilesCache(f"{config.run}/rootfs")

    async def __call__(self, request: cri.CreateContainerRequest) -> cri.CreateContainerResponse:
        """Raises NotFound (sandbox, image), FailedPrecondition (sandbox not ready), InvalidArgument."""
        sandbox = self._store.sandboxes.get(request.pod_sandbox_id)
        if not sandbox.ready:
            raise errors.FailedPrecondition(f"sandbox {sandbox.id} is not ready: its containers cannot start")
        if not request.config.metadata.name:
            raise errors.InvalidArgument("a container needs metadata with a name")
        windows.refuse(request.config)
        record = self._new_record(request.config, sandbox)
        created = await self._attempts.join(("create", record.name), lambda: self._create(record, sandbox))
        return cri.CreateContainerResponse(container_id=created)

    def _new_record(self, config: cri.ContainerConfig, sandbox: SandboxRecord) -> ContainerRecord:
        container_id = secrets.token_hex(32)
        directory = sandbox.config.log_directory
        return ContainerRecord(
            id=container_id,
            sandbox_id=sandbox.id,
            sandbox_name=sandbox.name,
            config=config,
            created_at=time.time_ns(),
            log_path=str(Path(directory, config.log_path)) if directory and config.log_path else "",
            cgroup=cgroups.path(self._cgroup_driver, sandbox.config.linux.cgroup_parent, container_id),
        )

    async def _create(self, record: ContainerRecord, sandbox: SandboxRecord) -> str:
        before = self._store.containers.named(record.name)
        if (
            before is not None
            and before.created
            and before.state == records.CREATED
            and before.config == record.config
        ):
            return before.id  # the answer to an earlier try was not received
        image = await self._images.resolve(record.config.image.image)
        self._store.reserve(record)
        undo = AsyncExitStack()
        try:
            record = await self._build(record, sandbox, image, undo)
        except BaseException as error:
            log.warning("container %s (%s) failed, undoing: %s", record.id, record.name, error)
            await asyncio.shield(self._undo(record, undo))
            raise
        undo.pop_all()
        self._events.created(record)
        return record.id

    async def _build(
        self, record: ContainerRecord, sandbox: SandboxRecord, image: Image, undo: AsyncExitStack
    ) -> ContainerRecord:
        mappings = id_mappings.of_pod(sandbox.config.linux.security_context.namespace_options)
        undo.push_async_callback(self._rootfs.remove, record.id)
        undo.push_async_callback(self._remove_record, record.id)
        snapshot = asyncio.ensure_future(self._rootfs.prepare(record.id, image.chain_id, mappings))
        try:
            spec_config = record.config
            if any(mount.HasField("image") for mount in record.config.mounts):
                undo.push_async_callback(self._image_volumes.unmount, record.id)
                paths, volumes = await self._image_volumes.mount(record.id, record.config, mappings)
                spec_config = _with_paths(record.config, paths)
                record = dataclasses.replace(record, image_volumes=volumes)
            user_files = self._user_files.known(image.chain_id)
            if user_files is None:
                user_files = await self._user_files.get(image.chain_id, await snapshot)
            record, container = self._describe(record, spec_config, sandbox, image, user_files)
        except BaseException:
            await asyncio.wait([snapshot])
            raise
        await together(
            snapshot, self._containerd.containers.create(container), self._store.put(record, sync=False)
        )
        return record

    def _describe(
        self,
        record: ContainerRecord,
        config: cri.ContainerConfig,
        sandbox: SandboxRecord,
        image: Image,
        user_files: UserFiles,
    ) -> tuple[ContainerRecord, Container]:
        """Our record, complete, and containerd's; ``config`` has the host paths of image volumes."""
        image_config = image.config.get("config") or {}
        user = user_of(record.config, image_config, user_files)
        handler = self._handlers.get(sandbox.handler)
        pod = Pod(
            sandbox.id,
            sandbox.config,
            sandbox.pid,
            sandbox.netns,
            files.hostname(sandbox.config),
            files.paths(self._config, sandbox.id, sandbox.config),
        )
        spec = container_spec(
            config,
            image_config,
            record.config.image.image,
            user,
            pod,
            record.cgroup,
            target_pid=self._target_pid(record.config),
            features=handler.features,
        )
        record = dataclasses.replace(
            record,
            created=True,
            image_id=image.id,
            image_ref=next(iter(image.repo_digests), image.id),
            image_name=next(iter((*image.repo_tags, *image.repo_digests)), image.id),
            process=json.dumps(spec["process"], separators=(",", ":")),
            stop_signal=number_of(record.config.stop_signal, str(image_config.get("StopSignal") or "")),
            user=(user.uid, user.gid, user.groups),
        )
        container = Container(
            id=record.id,
            labels=labels.of_record(labels.CONTAINER, record.config.labels),
            image=record.image_name,
            runtime=Container.Runtime(name=handler.type, options=handler.options),
            spec=pack_json(SPEC_TYPE_URL, spec),
            snapshotter=self._snapshotter,
            snapshot_key=record.id,
            sandbox=sandbox.id,
            extensions={labels.RECORD_EXTENSION: extension(labels.CONTAINER, record)},
        )
        return record, container

    def _target_pid(self, config: cri.ContainerConfig) -> int:
        """Of the container whose PID namespace is joined (NamespaceMode TARGET)."""
        options = config.linux.security_context.namespace_options
        if options.pid != cri.TARGET:
            return 0
        target = self._store.containers.get(options.target_id)
        return target.pid if target.state == records.RUNNING else 0

    async def _remove_record(self, container_id: str) -> None:
        await ignore_missing(self._containerd.containers.delete(container_id))

    async def _undo(self, record: ContainerRecord, undo: AsyncExitStack) -> None:
        try:
            await asyncio.wait_for(undo.aclose(), _UNDO_TIMEOUT)
        except (errors.PycriError, asyncio.TimeoutError) as error:
            log.error("container %s could not be undone; the next start of pycri does: %s", record.id, error)
        await self._store.drop(record)


def _with_paths(config: cri.ContainerConfig, paths: dict[int, str]) -> cri.ContainerConfig:
    """``config`` with image volumes as mounts of the host paths they are at."""
    changed = cri.ContainerConfig()
    changed.CopyFrom(config)
    for index, path in paths.items():
        changed.mounts[index].ClearField("image")
        changed.mounts[index].host_path = path
    return changed
