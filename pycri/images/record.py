"""What pycri knows of one image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pycri._generated import cri_pb2
from pycri.images.digests import is_digest

#: The label containerd's CRI plugin puts on its images, and its value; pycri's carry it too.
MANAGED_LABEL = ("io.cri-containerd.image", "managed")
PINNED_LABEL = ("io.cri-containerd.pinned", "pinned")
_UID = re.compile(r"[0-9]{1,20}")
_MAX_UID = 2**31 - 1


@dataclass(frozen=True)
class ImageRecord:
    """An image that is complete and unpacked.

    ``id`` is the digest of its config. ``names`` are its names in containerd: tags, digests, the id itself.
    ``config`` is the whole OCI image config (image-spec, config.md), so the part with Env, Cmd and User is
    ``process_config``. ``chain_id`` names the snapshot of its topmost layer, empty without layers. ``size``
    is in bytes, as stored (compressed).
    """

    id: str
    names: tuple[str, ...]
    chain_id: str
    config: Mapping[str, Any]
    size: int
    pinned: bool = False

    @property
    def repo_tags(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if "@" not in name and not is_digest(name))

    @property
    def repo_digests(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if "@" in name)

    @property
    def process_config(self) -> Mapping[str, Any]:
        """Env, Entrypoint, Cmd, User, WorkingDir, Volumes, StopSignal, Labels …"""
        config: Mapping[str, Any] = self.config.get("config") or {}
        return config

    def to_cri(self) -> cri_pb2.Image:
        image = cri_pb2.Image(
            id=self.id,
            repo_tags=self.repo_tags,
            repo_digests=self.repo_digests,
            size=self.size,
            pinned=self.pinned,
        )
        uid, username = image_user(self.process_config.get("User"))
        if uid is not None:
            image.uid.value = uid
        image.username = username
        return image


def image_user(user: object) -> tuple[int | None, str]:
    """The uid or the name in an image's USER, which is ``user[:group]``.

    The kubelet decides runAsNonRoot by the uid. A number out of the kernel's range is therefore reported as
    a name, which it refuses, and never wrapped round to some other uid.
    """
    if not isinstance(user, str) or not user:
        return None, ""
    name = user.partition(":")[0]
    if _UID.fullmatch(name) and int(name) <= _MAX_UID:
        return int(name), ""
    return None, name
