"""The images of the node in memory: by name, by id, by part of an id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pycri.errors import InvalidArgument
from pycri.images import reference
from pycri.images.record import ImageRecord

_ID_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")


@dataclass(frozen=True)
class ImageData:
    """What an image is apart from its names; see ``ImageRecord``."""

    id: str
    chain_id: str
    config: Mapping[str, Any]
    size: int


@dataclass(frozen=True)
class _Name:
    image_id: str
    target: str
    pinned: bool


class ImageStore:
    """Names point at images; an image is there while a name points at it."""

    def __init__(self) -> None:
        self._names: dict[str, _Name] = {}
        self._data: dict[str, ImageData] = {}
        self._records: dict[str, ImageRecord] = {}

    def put(self, name: str, target: str, data: ImageData, *, pinned: bool) -> None:
        """Point ``name`` at ``data``; ``target`` is the digest it has in containerd."""
        old = self._names.get(name)
        self._names[name] = _Name(data.id, target, pinned)
        self._data[data.id] = data
        if old is not None and old.image_id != data.id:
            self._rebuild(old.image_id)
        self._rebuild(data.id)

    def drop(self, name: str) -> None:
        """Forget a name, and its image with the last one."""
        old = self._names.pop(name, None)
        if old is not None:
            self._rebuild(old.image_id)

    def is_current(self, name: str, target: str, *, pinned: bool) -> bool:
        """Whether ``name`` is known with exactly these."""
        known = self._names.get(name)
        return known is not None and (known.target, known.pinned) == (target, pinned)

    def target(self, name: str) -> str:
        """The digest that ``name`` has in containerd; empty if it is not known."""
        known = self._names.get(name)
        return known.target if known else ""

    def names(self) -> tuple[str, ...]:
        return tuple(self._names)

    def records(self) -> list[ImageRecord]:
        """All images, in the order in which they came."""
        return list(self._records.values())

    def find(self, text: str) -> ImageRecord | None:
        """The image that a name (complete or not), a digest, an id or a unique part of an id means."""
        known = self._names.get(text)
        if known is None:
            with suppress(InvalidArgument):  # then it is an id, or nothing
                known = self._names.get(str(reference.parse(text)))
        if known is not None:
            return self._records[known.image_id]
        prefix = _ID_PREFIX.fullmatch(text)
        if not prefix:
            return None
        found = [each for each in self._records if each.startswith(f"sha256:{prefix[1]}")]
        return self._records[found[0]] if len(found) == 1 else None

    def _rebuild(self, image_id: str) -> None:
        names = sorted(name for name, at in self._names.items() if at.image_id == image_id)
        if not names:
            self._records.pop(image_id, None)
            self._data.pop(image_id, None)
            return
        data = self._data[image_id]
        self._records[image_id] = ImageRecord(
            id=image_id,
            names=tuple(names),
            chain_id=data.chain_id,
            config=data.config,
            size=data.size,
            pinned=any(self._names[name].pinned for name in names),
        )
