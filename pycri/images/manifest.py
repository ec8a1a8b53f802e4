"""Indexes, manifests and image configs, read strictly: what comes from a registry is anybody's input.

OCI image-spec v1.1 (image-index.md, manifest.md, config.md) and Docker's schema 2. Every function raises
FailedPrecondition with what is wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycri.errors import FailedPrecondition
from pycri.images import media_types, platforms
from pycri.images.digests import is_digest
from pycri.images.platforms import Platform

#: A document larger than this is refused unread, in bytes.
MAX_DOCUMENT = 8 * 1024 * 1024
_MAX_LAYERS = 1000
_MAX_SIZE = 2**50


@dataclass(frozen=True)
class Descriptor:
    """What a blob is, which one, and how many bytes it has."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True)
class Manifest:
    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True)
class ImageConfig:
    """The whole document, and the digests of the uncompressed layers, lowest first."""

    document: dict[str, Any]
    diff_ids: tuple[str, ...]
    platform: Platform


def select(data: bytes, media_type: str, node: Platform) -> list[tuple[int, Descriptor]]:
    """The manifests in an index that ``node`` can run, best first, each with its place in the index."""
    document = _document(data, media_type)
    if "layers" in document or "config" in document:
        raise FailedPrecondition("the index is ambiguous: it has a manifest's fields too")
    entries = document.get("manifests")
    if not isinstance(entries, list) or len(entries) > _MAX_LAYERS:
        raise FailedPrecondition("the index has no usable list of manifests")
    ranked: list[tuple[int, int, Descriptor]] = []
    offered = []
    for place, entry in enumerate(entries):
        descriptor = _descriptor(entry, "manifests")
        stated = entry.get("platform")
        if descriptor.media_type not in media_types.MANIFESTS:
            continue
        if not isinstance(stated, dict):
            ranked.append((len(entries) + 100, place, descriptor))  # its config tells, if nothing better
            continue
        platform = platforms.from_document(stated)
        offered.append(str(platform))
        rank = platforms.rank(platform, node)
        if rank is not None:
            ranked.append((rank, place, descriptor))
    if not ranked:
        raise FailedPrecondition(f"no image for {node}; the index has {', '.join(offered) or 'none'}")
    return [(place, descriptor) for _, place, descriptor in sorted(ranked, key=lambda item: item[:2])]


def parse_manifest(data: bytes, media_type: str) -> Manifest:
    """Read a manifest whose layers containerd can unpack."""
    document = _document(data, media_type)
    if "manifests" in document:
        raise FailedPrecondition("the manifest is ambiguous: it has an index's field too")
    config = _descriptor(document.get("config"), "config")
    if config.media_type not in media_types.CONFIGS:
        raise FailedPrecondition(f"not a container image: its config is of type {config.media_type!r}")
    layers = document.get("layers")
    if not isinstance(layers, list) or len(layers) > _MAX_LAYERS:
        raise FailedPrecondition("the manifest has no usable list of layers")
    parsed = tuple(_descriptor(layer, "layers") for layer in layers)
    for layer in parsed:
        if media_types.is_foreign(layer.media_type):
            raise FailedPrecondition(
                f"layer {layer.digest} is a foreign layer ({layer.media_type}), kept outside the registry; "
                "pycri does not fetch from URLs in manifests: push the image again with its layers included"
            )
        if layer.media_type not in media_types.LAYERS:
            raise FailedPrecondition(f"layer {layer.digest} is of unknown type {layer.media_type!r}")
    return Manifest(config, parsed)


def parse_config(data: bytes, layers: Sequence[Descriptor]) -> ImageConfig:
    """Read an image config; it must describe exactly as many layers as the manifest lists."""
    document = _object(data)
    rootfs = document.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if diff_ids is None:
        diff_ids = []
    if not isinstance(diff_ids, list) or not all(
        isinstance(each, str) and is_digest(each) for each in diff_ids
    ):
        raise FailedPrecondition("the image config has no usable rootfs.diff_ids")
    if len(diff_ids) != len(layers):
        raise FailedPrecondition(
            f"the image config describes {len(diff_ids)} layers, the manifest lists {len(layers)}"
        )
    if not isinstance(document.get("config") or {}, dict):
        raise FailedPrecondition("the image config's field config is not an object")
    return ImageConfig(document, tuple(diff_ids), platforms.from_document(document))


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The names of the snapshots of each layer on those below it (image-spec, config.md, ChainID)."""
    chain: list[str] = []
    for diff_id in diff_ids:
        if chain:
            diff_id = "sha256:" + hashlib.sha256(f"{chain[-1]} {diff_id}".encode()).hexdigest()
        chain.append(diff_id)
    return chain


def detect_media_type(data: bytes) -> str:
    """The type of a manifest or index that came without one."""
    document = _object(data)
    stated = document.get("mediaType")
    if isinstance(stated, str):
        return stated
    return media_types.OCI_INDEX if "manifests" in document else media_types.OCI_MANIFEST


def _document(data: bytes, media_type: str) -> dict[str, Any]:
    document = _object(data)
    stated = document.get("mediaType", media_type)
    if stated != media_type:
        raise FailedPrecondition(f"the document says it is {stated!r}, but was served as {media_type!r}")
    if document.get("schemaVersion", 2) != 2:
        raise FailedPrecondition(f"schema version {document['schemaVersion']!r} is not supported")
    return document


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_DOCUMENT:
        raise FailedPrecondition(f"the document has {len(data)} bytes, more than {MAX_DOCUMENT}")
    try:
        document = json.loads(data, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise FailedPrecondition(f"not a JSON document: {error}") from None
    if not isinstance(document, dict):
        raise FailedPrecondition("not a JSON object")
    return document


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON parsers disagree on which of two equal keys counts; an image may not depend on that."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return document


def _descriptor(entry: object, where: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise FailedPrecondition(f"{where}: a descriptor is missing")
    media_type, digest, size = entry.get("mediaType"), entry.get("digest"), entry.get("size")
    if not isinstance(media_type, str):
        raise FailedPrecondition(f"{where}: a descriptor has no mediaType")
    if not isinstance(digest, str) or not is_digest(digest):
        raise FailedPrecondition(f"{where}: {digest!r} is not a sha256 or sha512 digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        raise FailedPrecondition(f"{where}: {size!r} is not a size")
    return Descriptor(media_type, digest, size)
