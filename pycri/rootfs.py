"""Root file systems of containers: a snapshot over the image, owned by whom the pod's user namespace says.

In a pod with a user namespace the image's files must belong to the host ids that the pod's ids are. Where the
snapshotter maps ids itself (containerd >= 2.0: overlay over id-mapped layers), it is told to, and nothing is
copied. Elsewhere the image is copied up once with its files' owners changed, and kept as a snapshot below the
containers'; containerd removes it after the last of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence

from pycri import chown, errors, mounting
from pycri._generated.containerd_types_pb2 import Mount
from pycri.attempts import Locks, ignore_missing
from pycri.config import Config
from pycri.container.spec.id_mappings import IdMappings
from pycri.containerd import Containerd

# A snapshot that no record refers to yet is garbage to containerd, unless it is a root of its own.
SNAPSHOT_LABELS = {"containerd.io/gc.root": "pycri"}
# What the snapshotter reads (containerd, docs/snapshotters/README.md).
_UID_LABEL, _GID_LABEL = "containerd.io/snapshot/uidmapping", "containerd.io/snapshot/gidmapping"
_COPY_SECONDS = 3600.0


class RootFilesystems:
    """Prepares snapshots over images, with or without ids mapped."""

    def __init__(self, config: Config, containerd: Containerd) -> None:
        self._containerd = containerd
        self._snapshotter = config.containerd.snapshotter
        self._mount_point = f"{config.run}/remap"
        self._locks = Locks()

    async def prepare(self, key: str, chain_id: str, mappings: IdMappings | None) -> Sequence[Mount]:
        """The mounts of a writable snapshot ``key`` over the image's layers."""
        snapshots = self._containerd.snapshots
        if mappings is None:
            return await snapshots.prepare(self._snapshotter, key, chain_id, SNAPSHOT_LABELS)
        if len(mappings.uids) == len(mappings.gids) == 1 and await self._snapshotter_maps():
            uids, gids = str(mappings.uids[0]), str(mappings.gids[0])
            labels = {**SNAPSHOT_LABELS, _UID_LABEL: uids, _GID_LABEL: gids}
            return await snapshots.prepare(self._snapshotter, key, chain_id, labels)
        return await self._over_copy(chain_id, mappings, key, snapshots.prepare)

    async def view(self, key: str, chain_id: str, mappings: IdMappings | None) -> Sequence[Mount]:
        """As ``prepare``, read-only, with no mapping left to the caller's mount."""
        snapshots = self._containerd.snapshots
        if mappings is None:
            return await snapshots.view(self._snapshotter, key, chain_id, SNAPSHOT_LABELS)
        return await self._over_copy(chain_id, mappings, key, snapshots.view)

    async def remove(self, key: str) -> None:
        """Nothing there is fine."""
        await ignore_missing(self._containerd.snapshots.remove(self._snapshotter, key))

    async def _snapshotter_maps(self) -> bool:
        """Asked each time: containerd may have been replaced by an older one meanwhile."""
        found = await self._containerd.introspection.plugins(
            f"type==io.containerd.snapshotter.v1,id=={self._snapshotter}"
        )
        return any("remap-ids" in plugin.capabilities for plugin in found)

    async def _over_copy(
        self,
        chain_id: str,
        mappings: IdMappings,
        key: str,
        make: Callable[..., Awaitable[Sequence[Mount]]],
    ) -> Sequence[Mount]:
        words = "".join(f"u{item}" for item in mappings.uids) + "".join(f"g{item}" for item in mappings.gids)
        name = f"{chain_id}-mapped-{hashlib.sha256(words.encode()).hexdigest()[:16]}"
        async with (
            self._locks.hold(name),
            self._containerd.leases.hold("remap", expire=_COPY_SECONDS),
        ):
            try:
                return await make(self._snapshotter, key, name, SNAPSHOT_LABELS)
            except errors.NotFound:
                await self._copy(chain_id, mappings, name)
            return await make(self._snapshotter, key, name, SNAPSHOT_LABELS)

    async def _copy(self, chain_id: str, mappings: IdMappings, name: str) -> None:
        snapshots = self._containerd.snapshots
        working = f"{name}-making"
        await self.remove(working)  # of an attempt that was cut short
        mounts = await snapshots.prepare(self._snapshotter, working, chain_id)

        def work() -> None:
            with mounting.private_mount(self._mount_point):
                mounting.mount_writable(mounts, self._mount_point)
                chown.tree(self._mount_point, mappings)

        try:
            await mounting.in_own_thread(work)
            await snapshots.commit(self._snapshotter, name, working)
        except BaseException:
            await self.remove(working)
            raise
