"""One pull from end to end: resolve, fetch, unpack, name."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pycri.containerd import Containerd
from pycri.errors import FailedPrecondition, PycriError
from pycri.images import blobs, media_types
from pycri.images import manifest as manifests
from pycri.images.download import Downloader
from pycri.images.load import image_data
from pycri.images.manifest import Descriptor, ImageConfig, Manifest
from pycri.images.names import point_names
from pycri.images.platforms import Platform, rank
from pycri.images.record import ImageRecord
from pycri.images.reference import Reference
from pycri.images.store import ImageStore
from pycri.images.unpack import Unpacker
from pycri.stats.instruments import PULL_SECONDS, PULLS

if TYPE_CHECKING:
    from pycri.images.registry.credentials import Credentials
    from pycri.images.registry.repository import Document, Repository

_log = logging.getLogger(__name__)
_LEASE_SECONDS = 24 * 3600.0
T = TypeVar("T")


@dataclass(frozen=True)
class PullSettings:
    """``progress_timeout`` is in seconds: the longest wait for a byte."""

    registry_config: Path = Path("/etc/containerd/certs.d")
    max_concurrent_downloads: int = 3
    progress_timeout: float = 300.0
    connections_per_layer: int = 1


@dataclass(frozen=True)
class _Found:
    """What a reference turned out to be: its target, and in it the manifest for this node."""

    target: Descriptor
    manifest_at: Descriptor
    manifest: Manifest
    config: ImageConfig
    config_data: bytes


class Puller:
    def __init__(
        self,
        client: Containerd,
        store: ImageStore,
        unpacker: Unpacker,
        node: Platform,
        settings: PullSettings,
    ) -> None:
        self._client = client
        self._store = store
        self._unpacker = unpacker
        self._node = node
        self._settings = settings
        self._executor = ThreadPoolExecutor(thread_name_prefix="pull", max_workers=32)
        self._downloader = Downloader(client, self._executor, settings.connections_per_layer)
        self._stopped = threading.Event()

    async def pull(
        self, reference: Reference, credentials: Credentials | None, *, pinned: bool = False
    ) -> ImageRecord:
        """Bring the image to this node and return its record.

        Raises the error that CRI clients expect: ``RegistryUnavailable`` in front if trying again may help.
        """
        from pycri.images.registry.errors import RegistryError
        from pycri.images.registry.hosts import hosts_for
        from pycri.images.registry.repository import Repository

        hosts = hosts_for(reference.domain, self._settings.registry_config)
        repository = Repository(reference, hosts, credentials, self._settings.progress_timeout, self._stopped)
        what = f"pulling {reference}"
        begun, result = time.monotonic(), "error"
        try:
            async with self._client.leases.hold("pull", expire=_LEASE_SECONDS):
                record = await self._pull(repository, reference, pinned=pinned)
            result = "ok"
            return record
        except RegistryError as error:
            raise error.to_cri(what) from None
        except FailedPrecondition as error:
            raise FailedPrecondition(f"{what}: {error}") from None
        finally:
            PULLS.add(result)
            PULL_SECONDS.observe(time.monotonic() - begun)
            repository.close()

    async def close(self) -> None:
        self._stopped.set()
        await self._downloader.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _pull(self, repository: Repository, reference: Reference, *, pinned: bool) -> ImageRecord:
        known = self._store.target(str(reference))
        document = await self._run(lambda: repository.resolve(known))
        present = self._store.find(str(reference))
        if document is None and present is not None:
            return present
        if document is None:  # deleted while we asked
            document = await self._run(lambda: repository.manifest(reference.object))
        found = await self._inspect(repository, document)
        await self._layers(repository, found)
        data = image_data(found.manifest_at, found.manifest, found.config)
        await blobs.store_blob(
            self._client,
            found.config_data,
            found.manifest.config.digest,
            blobs.config_labels(self._unpacker.snapshotter, data.chain_id),
        )
        names = [str(reference), str(reference.at(found.target.digest)), data.id]
        await point_names(self._client, self._store, names, found.target, data, pinned=pinned)
        record = self._store.find(data.id)
        if record is None:
            raise PycriError(f"{reference} was removed while it was pulled")
        return record

    async def _inspect(self, repository: Repository, document: Document) -> _Found:
        """Find the node's manifest and its config; store the manifest and the index above it."""
        media_type = _media_type(document)
        target = at = Descriptor(media_type, document.digest, len(document.data))
        raw = document.data
        if media_type in media_types.INDEXES:
            place, at = manifests.select(raw, media_type, self._node)[0]
            raw = (await self._run(lambda: repository.manifest(at.digest))).data
            labels = blobs.index_labels(place, at.digest)
            await blobs.store_blob(self._client, document.data, document.digest, labels)
        manifest = manifests.parse_manifest(raw, at.media_type)
        config_data = await self._small_blob(repository, manifest.config)
        config = manifests.parse_config(config_data, manifest.layers)
        if rank(config.platform, self._node) is None:
            raise FailedPrecondition(f"the image is for {config.platform}, this node is {self._node}")
        await blobs.store_blob(self._client, raw, at.digest, blobs.manifest_labels(manifest))
        return _Found(target, at, manifest, config, config_data)

    async def _small_blob(self, repository: Repository, blob: Descriptor) -> bytes:
        """A config: needed here as well as in containerd."""
        if blob.size > manifests.MAX_DOCUMENT:
            raise FailedPrecondition(f"the image config has {blob.size} bytes")
        if await self._downloader.present(blob.digest):
            return await self._client.content.read_all(blob.digest, manifests.MAX_DOCUMENT)
        return await self._run(lambda: repository.read_blob(blob.digest, blob.size))

    async def _layers(self, repository: Repository, found: _Found) -> None:
        """Fetch several layers at a time; unpack each as soon as it and those below it are there."""
        slots = asyncio.Semaphore(self._settings.max_concurrent_downloads)

        async def fetch(layer: Descriptor) -> None:
            async with slots:
                await self._downloader.ensure(repository, layer)

        fetches = {layer: asyncio.create_task(fetch(layer)) for layer in found.manifest.layers}
        try:
            parent = ""
            chain = manifests.chain_ids(found.config.diff_ids)
            for layer, diff_id, chain_id in zip(
                found.manifest.layers, found.config.diff_ids, chain, strict=True
            ):
                await fetches[layer]
                await self._unpacker.unpack(layer, diff_id, parent, chain_id)
                parent = chain_id
        finally:
            for task in fetches.values():
                task.cancel()
            await asyncio.gather(*fetches.values(), return_exceptions=True)

    async def _run(self, blocking: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, blocking)


def _media_type(document: Document) -> str:
    """What a document is, if need be by its own word: some registries serve all as text or JSON."""
    media_type = document.media_type
    if media_type not in media_types.INDEXES | media_types.MANIFESTS | media_types.DOCKER_SCHEMA_1:
        media_type = manifests.detect_media_type(document.data)
    if media_type in media_types.DOCKER_SCHEMA_1:
        raise FailedPrecondition(
            "the image is in Docker's schema 1 format, which was withdrawn: push it again with a recent tool"
        )
    if media_type not in media_types.INDEXES | media_types.MANIFESTS:
        raise FailedPrecondition(f"not an image but {media_type!r}")
    return media_type
