"""ImageFsInfo (cri-api: ImageService): what snapshots take on disk."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from pycri._generated import containerd_snapshots_pb2, cri_pb2
from pycri.containerd import Containerd
from pycri.errors import NotFound

_FRESH_SECONDS = 10.0  # measuring a writable layer walks its directory
_PARALLEL = 8
_DEFAULT_ROOT = "/var/lib/containerd"


class ImageFilesystem:
    """Layers of images count as image file system, containers' own layers as container file system.

    Committed snapshots do not change, so each is measured once; the others at most every 10 s.
    """

    def __init__(self, client: Containerd, snapshotter: str) -> None:
        self._client = client
        self._snapshotter = snapshotter
        self._mountpoint = ""
        self._committed: dict[str, tuple[int, int]] = {}
        self._answer = cri_pb2.ImageFsInfoResponse()
        self._measured_at = float("-inf")
        self._lock = asyncio.Lock()

    async def info(self) -> cri_pb2.ImageFsInfoResponse:
        """Usage at most 10 s old."""
        async with self._lock:
            if time.monotonic() - self._measured_at > _FRESH_SECONDS:
                self._answer = await self._measure()
                self._measured_at = time.monotonic()
            return self._answer

    async def mountpoint(self) -> str:
        """The snapshotter's directory."""
        if not self._mountpoint:
            plugins = await self._client.introspection.plugins(
                f"type==io.containerd.snapshotter.v1,id=={self._snapshotter}"
            )
            exported = next((plugin.exports.get("root", "") for plugin in plugins), "")
            self._mountpoint = exported or str(
                Path(_DEFAULT_ROOT) / f"io.containerd.snapshotter.v1.{self._snapshotter}"
            )
        return self._mountpoint

    async def _measure(self) -> cri_pb2.ImageFsInfoResponse:
        slots = asyncio.Semaphore(_PARALLEL)
        snapshots = await self._client.snapshots.list(self._snapshotter)
        usages = await asyncio.gather(*(self._usage(snapshot, slots) for snapshot in snapshots))
        images, containers = [0, 0], [0, 0]
        for snapshot, usage in zip(snapshots, usages, strict=True):
            total = images if snapshot.kind == containerd_snapshots_pb2.COMMITTED else containers
            total[0] += usage[0]
            total[1] += usage[1]
        self._committed = {
            snapshot.name: usage
            for snapshot, usage in zip(snapshots, usages, strict=True)
            if snapshot.kind == containerd_snapshots_pb2.COMMITTED
        }
        return cri_pb2.ImageFsInfoResponse(
            image_filesystems=[await self._filesystem(*images)],
            container_filesystems=[await self._filesystem(*containers)],
        )

    async def _usage(
        self, snapshot: containerd_snapshots_pb2.Info, slots: asyncio.Semaphore
    ) -> tuple[int, int]:
        """Bytes and inodes."""
        if known := self._committed.get(snapshot.name):
            return known
        async with slots:
            try:
                usage = await self._client.snapshots.usage(self._snapshotter, snapshot.name)
            except NotFound:
                return 0, 0  # removed meanwhile
        return usage.size, usage.inodes

    async def _filesystem(self, size: int, inodes: int) -> cri_pb2.FilesystemUsage:
        return cri_pb2.FilesystemUsage(
            timestamp=time.time_ns(),
            fs_id=cri_pb2.FilesystemIdentifier(mountpoint=await self.mountpoint()),
            used_bytes=cri_pb2.UInt64Value(value=size),
            inodes_used=cri_pb2.UInt64Value(value=inodes),
        )
