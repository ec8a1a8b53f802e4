"""The CRI's ImageService: one line per RPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycri.images import ImageService
from pycri.server.rpc import PACKAGES


def tables(images: ImageService) -> dict[str, Mapping[str, Any]]:
    """RPC to verb; both API packages have the same."""
    table = {
        "ListImages": images.list_images,
        "StreamImages": images.stream_images,
        "ImageStatus": images.image_status,
        "PullImage": images.pull_image,
        "RemoveImage": images.remove_image,
        "ImageFsInfo": images.image_fs_info,
    }
    return dict.fromkeys(PACKAGES, table)
