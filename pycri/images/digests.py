"""Content digests (OCI image-spec, descriptor.md): ``sha256:<hex>`` and ``sha512:<hex>``."""

from __future__ import annotations

import hashlib
import re

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def is_digest(text: str) -> bool:
    """Whether ``text`` is a digest of an algorithm that pycri verifies."""
    return _DIGEST.fullmatch(text) is not None


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def matches(data: bytes, digest: str) -> bool:
    """Whether ``digest`` is the digest of ``data``."""
    algorithm, _, value = digest.partition(":")
    return is_digest(digest) and hashlib.new(algorithm, data).hexdigest() == value
