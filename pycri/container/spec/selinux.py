"""SELinux labels of processes, root file systems and volumes, where the host has SELinux.

What the kubelet asks for is applied; a pod that asks for nothing runs as the policy has it. Files get the
type that container policies (container-selinux) let containers of the same level use.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri._generated.containerd_types_pb2 import Mount

_ENFORCE = Path("/sys/fs/selinux/enforce")
_XATTR = "security.selinux"
_FILE_TYPE = "container_file_t"
# Labels changed here would lock the host out of its own files.
_NEVER_RELABELED = re.compile(
    "/|/(bin|boot|dev|etc|home|lib|lib64|opt|proc|root|run|sbin|srv|sys|tmp|usr|var)", re.ASCII
)


@functools.cache
def enabled() -> bool:
    """Whether a policy is loaded."""
    return _ENFORCE.exists()


def process_label(
    options: cri.SELinuxOption, pod: cri.SELinuxOption | None = None, *, privileged: bool = False
) -> str:
    """``user:role:type:level`` of a process, the gaps filled from ``pod``'s; empty for none."""
    user, role, kind, level = (
        getattr(options, name) or (getattr(pod, name) if pod is not None else "")
        for name in ("user", "role", "type", "level")
    )
    if not enabled() or privileged or not (kind or level):
        return ""
    for word in (user, role, kind, level):
        if any(character.isspace() or character == "\0" for character in word):
            raise errors.InvalidArgument(f"SELinux option {word!r} contains a space")
    return ":".join((user or "system_u", role or "system_r", kind or "container_t", level or "s0"))


def file_label(process: str) -> str:
    """The label of files for processes labelled ``process``; empty for none."""
    if not process:
        return ""
    user, _, _, level = process.split(":", 3)
    return f"{user}:object_r:{_FILE_TYPE}:{level}"


def labelled(mounts: Sequence[Mount], label: str) -> Sequence[Mount]:
    """A root file system's mounts, with every file of an overlay labelled."""
    if not label:
        return mounts
    found = []
    for mount in mounts:
        copy = Mount()
        copy.CopyFrom(mount)
        if copy.type == "overlay":
            copy.options.append(f'context="{label}"')
        found.append(copy)
    return found


def relabel(path: str, label: str) -> None:
    """Label a volume and everything below it (CRI Mount.selinux_relabel). Raises OSError, InvalidArgument."""
    if not label:
        return
    if _NEVER_RELABELED.fullmatch(os.path.realpath(path)):
        raise errors.InvalidArgument(f"{path} is the host's own: it is not relabelled for a container")
    value = label.encode() + b"\0"
    os.setxattr(path, _XATTR, value, follow_symlinks=False)
    # by descriptors: another container may replace a directory of the volume by a link meanwhile
    for _, names, files, descriptor in os.fwalk(path):
        for name in (*names, *files):
            os.setxattr(f"/proc/self/fd/{descriptor}/{name}", _XATTR, value, follow_symlinks=False)
