"""What the sandbox and container verbs need to know of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Image(Protocol):
    """An image in containerd's store (``pycri.images.ImageRecord``)."""

    @property
    def id(self) -> str:
        """``sha256:…`` of the image configuration."""

    @property
    def repo_tags(self) -> Sequence[str]: ...

    @property
    def repo_digests(self) -> Sequence[str]: ...

    @property
    def chain_id(self) -> str:
        """Key of the committed snapshot of all layers."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The OCI image configuration document."""
