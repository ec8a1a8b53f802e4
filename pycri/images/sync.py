"""Keeps the store in step with containerd, whoever changes its images (``ctr``, ``nerdctl``, pycri)."""

from __future__ import annotations

import asyncio
import logging

from pycri._generated.containerd_images_pb2 import Image
from pycri.containerd import Containerd, Event, ImageChanged, Subscribed
from pycri.errors import NotFound, PycriError
from pycri.images.load import NotUnpacked, load
from pycri.images.platforms import Platform
from pycri.images.record import PINNED_LABEL
from pycri.images.store import ImageStore
from pycri.images.unpack import Unpacker

_log = logging.getLogger(__name__)
_PARALLEL = 16


class ImageSync:
    """``run`` for ever in a task; ``ready`` is set once the store has all images for the first time."""

    def __init__(self, client: Containerd, unpacker: Unpacker, store: ImageStore, node: Platform) -> None:
        self.ready = asyncio.Event()
        self._client = client
        self._unpacker = unpacker
        self._store = store
        self._node = node
        self._slots = asyncio.Semaphore(_PARALLEL)
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._changed: set[str] = set()

    async def run(self) -> None:
        """Read everything whenever the event stream (re)starts, then follow it."""
        try:
            await self._follow()
        finally:
            for task in self._reading.values():
                task.cancel()
            await asyncio.gather(*self._reading.values(), return_exceptions=True)

    async def _follow(self) -> None:
        async for item in self._client.events.subscribe("^/images/"):
            try:
                if isinstance(item, Subscribed):
                    await self.read_all()
                    self.ready.set()
                elif isinstance(item, Event) and isinstance(item.message, ImageChanged):
                    self._schedule(item.message.name)
            except PycriError as error:
                _log.warning("images: cannot follow containerd: %s", error)

    async def read_all(self) -> None:
        """Take over the images that containerd has, and drop those that it has no more.

        Those that have to be unpacked first follow later: that may take minutes.
        """
        images = await self._client.images.list()
        for name in {*self._store.names()} - {image.name for image in images}:
            self._store.drop(name)
        await asyncio.gather(*(self._take(image, unpack=False) for image in images))

    async def read_one(self, name: str) -> None:
        """The same for one name."""
        try:
            image = await self._client.images.get(name)
        except NotFound:
            self._store.drop(name)
        else:
            await self._take(image, unpack=True)

    def _schedule(self, name: str) -> None:
        """Read ``name`` beside the others: one image that has to be unpacked does not hold up the rest."""
        self._changed.add(name)
        if name not in self._reading:
            task = self._reading[name] = asyncio.create_task(self._read_until_settled(name))
            task.add_done_callback(lambda _: self._reading.pop(name))

    async def _read_until_settled(self, name: str) -> None:
        while name in self._changed:  # it may change again while it is read
            self._changed.discard(name)
            try:
                await self.read_one(name)
            except PycriError as error:
                _log.warning("images: cannot read %s from containerd: %s", name, error)

    async def _take(self, image: Image, *, unpack: bool) -> None:
        label, value = PINNED_LABEL
        pinned = image.labels.get(label) == value
        if self._store.is_current(image.name, image.target.digest, pinned=pinned):
            return
        async with self._slots:
            try:
                data = await load(self._client, self._unpacker, self._node, image, unpack=unpack)
            except NotUnpacked:
                self._schedule(image.name)
                return
            except PycriError as error:
                # Another platform's, or half of a pull that somebody else is at: an update follows that one.
                _log.info("images: %s is left out: %s", image.name, error)
                self._store.drop(image.name)
                return
        self._store.put(image.name, image.target.digest, data, pinned=pinned)
