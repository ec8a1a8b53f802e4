"""Layers into snapshots. containerd applies them; nothing here opens an archive."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from pycri._generated.containerd_types_pb2 import Descriptor as WireDescriptor
from pycri.containerd import Containerd
from pycri.containerd.connection import lease_id
from pycri.errors import AlreadyExists, FailedPrecondition, NotFound, PycriError
from pycri.images.manifest import Descriptor
from pycri.images.single_flight import SingleFlight

#: On a layer blob: the digest of its uncompressed tar (containerd's own label).
UNCOMPRESSED_LABEL = "containerd.io/uncompressed"


class Unpacker:
    """Unpacks into one snapshotter; two images that share a layer unpack it once."""

    def __init__(self, client: Containerd, snapshotter: str) -> None:
        self.snapshotter = snapshotter
        self._client = client
        self._flights: SingleFlight[None] = SingleFlight(outlive=False)

    async def exists(self, chain_id: str) -> bool:
        """Whether the snapshot is there; if it is, the current lease keeps it."""
        if not await self._is_there(chain_id):
            return False
        if lease := lease_id.get():
            await self._client.leases.add(lease, f"snapshots/{self.snapshotter}", chain_id)
            return await self._is_there(chain_id)  # it may have been collected just before
        return True

    async def _is_there(self, chain_id: str) -> bool:
        try:
            await self._client.snapshots.stat(self.snapshotter, chain_id)
        except NotFound:
            return False
        return True

    async def unpack(self, layer: Descriptor, diff_id: str, parent: str, chain_id: str) -> None:
        """Make the snapshot ``chain_id`` from ``parent`` (empty for the lowest) and the layer's content.

        Raises FailedPrecondition if the layer does not have the digest that the image config states.
        """
        while not await self.exists(chain_id):
            joined = chain_id in self._flights
            try:
                await self._flights.do(chain_id, lambda: self._apply(layer, diff_id, parent, chain_id))
            except PycriError:
                if not joined:
                    raise
                # another pull failed at it; perhaps for a reason of its own
            else:
                if not joined:
                    return  # made under our own lease

    async def close(self) -> None:
        await self._flights.close()

    async def _apply(self, layer: Descriptor, diff_id: str, parent: str, chain_id: str) -> None:
        snapshots = self._client.snapshots
        key = f"extract-{secrets.token_hex(8)} {chain_id}"
        mounts = await snapshots.prepare(self.snapshotter, key, parent)
        try:
            # Annotations of the manifest are not passed on: snapshotters and containerd act on some.
            blob = WireDescriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size)
            applied = await self._client.diff.apply(blob, mounts)
            if applied.digest != diff_id:
                raise FailedPrecondition(
                    f"layer {layer.digest} unpacks to {applied.digest}, but the image config says {diff_id}"
                )
            await snapshots.commit(self.snapshotter, chain_id, key)
        except AlreadyExists:
            await self._remove(key)
        except BaseException:
            await asyncio.shield(self._remove(key))
            raise
        await self._client.content.update_labels(layer.digest, {UNCOMPRESSED_LABEL: diff_id})

    async def _remove(self, key: str) -> None:
        with suppress(PycriError):  # the lease's end collects it as well
            await self._client.snapshots.remove(self.snapshotter, key)
