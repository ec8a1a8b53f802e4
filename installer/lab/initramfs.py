"""The first file system of a VM: a busybox, the modules its disk needs, and the host's own files.

A kernel takes several cpio archives one after the other, so one common archive is cached and each host's
small one is appended at boot. Format: newc, Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import lzma
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from installer.errors import NodestrapError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Member:
    """One file (`content`), or one directory (None), owned by root."""

    path: str
    content: bytes | None
    mode: int = 0o644


def cpio(members: Iterable[Member]) -> bytes:
    """A newc archive of `members` with every parent directory; another archive may follow it."""
    archive, seen = bytearray(), set[str]()
    for member in members:
        path = member.path.strip("/")
        for parent in reversed(Path(path).parents[:-1]):
            if str(parent) not in seen:
                seen.add(str(parent))
                archive += _record(str(parent), stat.S_IFDIR | 0o755, b"", len(seen))
        if path in seen:
            continue
        seen.add(path)
        kind = stat.S_IFDIR if member.content is None else stat.S_IFREG
        archive += _record(path, kind | member.mode, member.content or b"", len(seen))
    return bytes(archive + _record("TRAILER!!!", 0, b"", 0))


def initramfs(root: Path, init: bytes, busybox: bytes, modules: Iterable[str]) -> bytes:
    """The common archive for the kernel installed in `root`: `init` as PID 1, `modules` in loading order.

    Raises NodestrapError when a module is neither built in nor there.
    """
    files = _module_files(root, modules)
    order = "".join(f"{path.name.split('.')[0]}.ko\n" for path in files)
    return cpio(
        [
            Member("bin/busybox", busybox, 0o755),
            Member("init", init, 0o755),
            Member("modules/order", order.encode()),
            *(Member(f"modules/{path.name.split('.')[0]}.ko", _plain(path)) for path in files),
        ]
    )


def kernel_version(root: Path) -> str:
    """Version of the one kernel installed in `root`. Raises NodestrapError when there is none."""
    versions = (
        sorted(path.name for path in (root / "lib/modules").iterdir())
        if (root / "lib/modules").is_dir()
        else []
    )
    if not versions:
        raise NodestrapError(f"No kernel is installed in {root}.")
    return versions[-1]


def _module_files(root: Path, modules: Iterable[str]) -> list[Path]:
    """The files of `modules` and of all they depend on, dependencies first."""
    directory = root / "lib/modules" / kernel_version(root)
    needs: dict[str, tuple[Path, list[str]]] = {}
    for line in (directory / "modules.dep").read_text().splitlines():
        path, _, dependencies = line.partition(":")
        needs[_name(path)] = (directory / path, [_name(each) for each in dependencies.split()])
    built_in = {_name(line) for line in (directory / "modules.builtin").read_text().splitlines()}
    ordered: list[Path] = []

    def add(name: str) -> None:
        if name in built_in:
            return
        if name not in needs:
            raise NodestrapError(f"The kernel in {root} has no module {name}, which a VM's disk needs.")
        path, dependencies = needs[name]
        if path not in ordered:
            for dependency in reversed(dependencies):
                add(dependency)
            ordered.append(path)

    for module in modules:
        add(module)
    return ordered


def _name(path: str) -> str:
    return Path(path).name.split(".")[0].replace("-", "_")


def _plain(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    if path.suffix == ".ko":
        return content
    raise NodestrapError(f"{path} is compressed in a way that the lab cannot read.")


def _record(path: str, mode: int, content: bytes, inode: int) -> bytes:
    name = path.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)
