"""CheckpointContainer: a container's memory, files and description in one archive; it goes on running.

Off unless the configuration allows it, and never restored from: an archive holds every secret that the
container had in memory. The archive has the names that checkpoint tools and other runtimes read
(https://kubernetes.io/docs/reference/node/kubelet-checkpoint-api/):

===================  =======================================================================
checkpoint/          criu's images
rootfs-diff.tar      what the container changed in its root file system (an OCI layer)
config.dump          which container and image this was
spec.dump            the OCI runtime spec
status.dump          the CRI status
container.log        what it had written
dump.log             criu's own words
===================  =======================================================================
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import shutil
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri._generated.containerd_runc_options_pb2 import CheckpointOptions
from pycri.attempts import Locks, ignore_missing
from pycri.config import Config
from pycri.container.exec import running
from pycri.container.status import of_record
from pycri.containerd import Containerd
from pycri.containerd.anys import pack
from pycri.handlers import Handlers
from pycri.store import ContainerRecord, Store

_DEFAULT_TIMEOUT = 120.0  # seconds, when the request names none
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_LEASE_SECONDS = 3600.0


class CheckpointContainer:
    """The verb."""

    def __init__(
        self, config: Config, store: Store, containerd: Containerd, handlers: Handlers, locks: Locks
    ) -> None:
        self._enabled = config.enable_checkpoint
        self._directory = directory(config)
        self._snapshotter = config.containerd.snapshotter
        self._store = store
        self._containerd = containerd
        self._handlers = handlers
        self._locks = locks

    async def __call__(self, request: cri.CheckpointContainerRequest) -> cri.CheckpointContainerResponse:
        """Raises FailedPrecondition (off, no criu, not running), InvalidArgument, NotFound,
        DeadlineExceeded, and what criu reports."""
        self._check(request)
        record = running(self._store, request.container_id)
        handler = self._handlers.get(self._store.sandboxes.get(record.sandbox_id).handler)
        if not handler.runs_on_host:
            raise errors.FailedPrecondition(f"the shim {handler.type} cannot checkpoint its containers")
        timeout = float(request.timeout) if request.timeout > 0 else _DEFAULT_TIMEOUT
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=self._directory, prefix=f"{record.id}."))
        try:
            async with self._locks.hold(record.id):
                await asyncio.wait_for(self._dump(record, work), timeout)
            await asyncio.to_thread(_archive, work, Path(request.location))
        except asyncio.TimeoutError:
            raise errors.DeadlineExceeded(
                f"the checkpoint of {record.id} was not complete within {timeout:g} s"
            ) from None
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        return cri.CheckpointContainerResponse()

    def _check(self, request: cri.CheckpointContainerRequest) -> None:
        if not self._enabled:
            raise errors.FailedPrecondition(
                f"checkpointing {request.container_id}: it is off on this node; "
                "set enable_checkpoint = true in pycri's configuration to allow it"
            )
        if not request.location.startswith("/") or "\0" in request.location:
            raise errors.InvalidArgument(
                f'the location "{request.location}" of a checkpoint must be absolute'
            )
        if shutil.which("criu") is None:
            raise errors.FailedPrecondition("checkpointing needs criu, which is not on this node: install it")

    async def _dump(self, record: ContainerRecord, work: Path) -> None:
        """Memory and files of the same moment: it stands still meanwhile."""
        tasks = self._containerd.tasks
        await tasks.pause(record.id)
        try:
            await self._dump_memory(record, work)
            await self._dump_files(record, work / "rootfs-diff.tar")
        finally:
            with suppress(errors.NotFound, errors.FailedPrecondition):  # it has ended, or runs already
                await asyncio.shield(tasks.resume(record.id))
        await self._describe(record, work)

    async def _dump_memory(self, record: ContainerRecord, work: Path) -> None:
        images = work / "checkpoint"
        images.mkdir()
        options = CheckpointOptions(
            exit=False,
            open_tcp=True,
            external_unix_sockets=True,
            file_locks=True,
            terminal=record.config.tty,
            image_path=str(images),
            work_path=str(work),
        )
        try:
            await self._containerd.tasks.checkpoint(record.id, pack(options))
        except errors.PycriError as error:
            raise errors.Unknown(
                f"criu could not checkpoint {record.id}: {error}{_last_error(work)}"
            ) from None

    async def _dump_files(self, record: ContainerRecord, target: Path) -> None:
        snapshots, content = self._containerd.snapshots, self._containerd.content
        key = f"{record.id}-checkpoint"
        async with self._containerd.leases.hold("checkpoint", expire=_LEASE_SECONDS):
            parent = (await snapshots.stat(self._snapshotter, record.id)).parent
            left = await snapshots.view(self._snapshotter, key, parent)
            try:
                right = await snapshots.mounts(self._snapshotter, record.id)
                layer = await self._containerd.diff.diff(left, right, _LAYER, key)
            finally:
                await ignore_missing(snapshots.remove(self._snapshotter, key))
            with target.open("wb") as file:
                async for chunk in content.read(layer.digest):
                    await asyncio.to_thread(file.write, chunk)

    async def _describe(self, record: ContainerRecord, work: Path) -> None:
        from google.protobuf.json_format import MessageToDict

        sandbox = self._store.sandboxes.get(record.sandbox_id)
        found = await self._containerd.containers.get(record.id)
        now = datetime.datetime.now(datetime.timezone.utc)
        created = datetime.datetime.fromtimestamp(record.created_at / 1e9, datetime.timezone.utc)
        _write_json(
            work / "config.dump",
            {
                "id": record.id,
                "name": record.config.metadata.name,
                "rootfsImage": record.config.image.user_specified_image or record.image_name,
                "rootfsImageRef": record.image_id,
                "rootfsImageName": record.image_name,
                "runtime": self._handlers.get(sandbox.handler).name,
                "createdTime": created.isoformat(),
                "checkpointedTime": now.isoformat(),
                "restored": False,
            },
        )
        (work / "spec.dump").write_bytes(found.spec.value)
        _write_json(work / "status.dump", MessageToDict(of_record(record), preserving_proto_field_name=True))
        if record.log_path and Path(record.log_path).is_file():
            await asyncio.to_thread(shutil.copyfile, record.log_path, work / "container.log")


def directory(config: Config) -> Path:
    """Where checkpoints are put together."""
    return Path(config.root, "checkpoints")


async def end_unfinished(config: Config, containerd: Containerd) -> None:
    """At start: containers that stood still when pycri was killed go on, and what was written is removed."""
    found = directory(config)
    for work in sorted(found.iterdir()) if found.is_dir() else ():
        with suppress(errors.NotFound, errors.FailedPrecondition):  # it has ended, or runs
            await containerd.tasks.resume(work.name.partition(".")[0])
        shutil.rmtree(work, ignore_errors=True)


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1))


def _last_error(work: Path) -> str:
    """What criu said; its log has the reason that the runtime leaves out."""
    try:
        lines = (work / "dump.log").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    found = [line for line in lines if "Error" in line]
    return f" (criu: {found[0][:300]})" if found else ""


def _archive(work: Path, target: Path) -> None:
    """Complete or not at all, and for root's eyes only."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
            for path in sorted(work.iterdir()):
                archive.add(path, path.name)
        os.replace(name, target)  # noqa: PTH105
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
