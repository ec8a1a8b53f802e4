"""The disk, kernel and initramfs that every VM of a lab starts from: made once, cached, never written to."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from installer.lab import paths
from installer.lab.initramfs import initramfs, kernel_version
from installer.lab.lock import exclusive
from installer.lab.rootfs import Recipe, cached_root
from installer.lab.standard_images import debian_architecture, static_busybox
from installer.lab.tools import run

if TYPE_CHECKING:
    from installer.lab.progress import Progress

_DISK_SIZE = "20G"  # sparse: room for images and etcd, a few hundred megabytes in truth
_MODULES = ("virtio_pci", "virtio_blk", "ext4")


@dataclass(frozen=True)
class VmImage:
    """Files of one cached image."""

    directory: Path

    @property
    def disk(self) -> Path:
        """Raw ext4 file system, the backing file of every host's own disk."""
        return self.directory / "disk.ext4"

    @property
    def kernel(self) -> Path:
        """The Debian kernel."""
        return self.directory / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        """The archive common to all hosts."""
        return self.directory / "initramfs.cpio"


def vm_image(progress: Progress) -> VmImage:
    """The image, made first when the cache has none for its inputs.

    Raises NodestrapError when a tool fails.
    """
    recipe = Recipe("trixie", (f"linux-image-cloud-{debian_architecture()}", "udev", "e2fsprogs", "apparmor"))
    root = cached_root(recipe, progress)
    init, busybox = (paths.templates() / "initramfs-init").read_bytes(), static_busybox().read_bytes()
    key = hashlib.sha256(repr((root.name, init, busybox, _DISK_SIZE, _MODULES)).encode()).hexdigest()[:16]
    image = VmImage(paths.cache_root() / "images" / f"{recipe.suite}-{key}")
    if not image.directory.is_dir():
        image.directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with exclusive(
            image.directory.with_suffix(".lock"), f"the disk image {image.directory.name}", wait=True
        ):
            if not image.directory.is_dir():
                with progress.step("disk image of the VMs"):
                    _build(root, init, busybox, image.directory)
    return image


def _build(root: Path, init: bytes, busybox: bytes, directory: Path) -> None:
    partial = VmImage(directory.with_suffix(".partial"))
    shutil.rmtree(partial.directory, ignore_errors=True)
    partial.directory.mkdir()
    shutil.copy(root / "boot" / f"vmlinuz-{kernel_version(root)}", partial.kernel)
    partial.initramfs.write_bytes(initramfs(root, init, busybox, _MODULES))
    options = "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0"
    run(
        "mke2fs",
        "-q",
        "-t",
        "ext4",
        "-L",
        "root",
        "-E",
        options,
        "-d",
        str(root),
        str(partial.disk),
        _DISK_SIZE,
    )
    partial.directory.rename(directory)
