"""Which of an index's images this node runs, and in which order they are preferred."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Platform:
    """As in OCI image-spec, image-index.md; an empty variant is the architecture's default."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


_MACHINES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i686": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
}
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}


def host() -> Platform:
    """This machine's platform."""
    machine = os.uname().machine
    architecture, variant = _MACHINES.get(machine, (machine, ""))
    return Platform("linux", architecture, variant)


def from_document(document: Mapping[str, object]) -> Platform:
    """The platform that an index entry or an image config states."""

    def text(key: str) -> str:
        value = document.get(key)
        return value if isinstance(value, str) else ""

    return Platform(text("os"), text("architecture"), text("variant"))


def rank(candidate: Platform, node: Platform) -> int | None:
    """How well ``candidate`` suits ``node``: 0 is best, None means that it does not run there."""
    runnable = [_complete(each) for each in _runnable(node)]
    wanted = _complete(candidate)
    return runnable.index(wanted) if wanted in runnable else None


def _runnable(node: Platform) -> list[Platform]:
    """What a node's kernel executes: its own architecture, older variants, then the 32-bit one."""
    found = [node]
    if node.architecture == "amd64":
        found.append(Platform(node.os, "386"))
    elif node.architecture == "arm64":
        found += [Platform(node.os, "arm", variant) for variant in ("v8", "v7", "v6", "v5")]
    elif node.architecture == "arm":
        newest = int(_complete(node).variant.lstrip("v") or 7)
        found += [Platform(node.os, "arm", f"v{older}") for older in range(newest - 1, 4, -1)]
    return found


def _complete(platform: Platform) -> Platform:
    variant = platform.variant or _DEFAULT_VARIANTS.get(platform.architecture, "")
    if platform.architecture == "amd64" and variant == "v1":
        variant = ""  # v2 and later need a processor that the node may not have
    return Platform(platform.os, platform.architecture, variant)
