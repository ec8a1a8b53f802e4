"""Everything a Kubernetes 1.20.2 cluster needs, as nodestrap's artifact source ``directory``:

    bin/            kubeadm kubelet kubectl crictl
    cni/            the CNI plugins, Debian's
    images/*.tar    the images that kubeadm asks for, as archives
    checksums.txt   of them all, as sha256sum writes it

    python -m tests.support.kubernetes_directory      # prints it, building what is not cached

A real crictl is taken instead of our small one where the environment variable CRICTL names it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from tests.support import debian, image_archive, kubernetes_build, kubernetes_images

_CNI = "containernetworking-plugins"
_TOOLS = ("kubeadm", "kubelet", "kubectl")


def build() -> Path:
    """Return the directory; complete, or not there at all.

    Raises KubernetesBuildError, or DebianError when a package of Debian's cannot be had.
    """
    binaries = kubernetes_build.build()
    crictl = Path(os.environ.get("CRICTL") or kubernetes_build.build_crictl() / "crictl")
    plugins = debian.unpack("bookworm", _CNI)
    root = kubernetes_build.cache_root()
    target = root / f"directory-{_key(binaries, crictl, plugins)}"
    with (root / "directory.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            work = root / f"directory-building-{os.getpid()}"
            try:
                _fill(work, binaries, crictl, plugins)
                work.rename(target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return target


def _key(binaries: Path, crictl: Path, plugins: Path) -> str:
    recipes = [Path(module.__file__ or "").read_bytes() for module in (kubernetes_images, image_archive)]
    parts = [binaries.name.encode(), crictl.read_bytes(), plugins.name.encode(), *recipes]
    return hashlib.sha256(b"|".join(parts)).hexdigest()[:16]


def _fill(work: Path, binaries: Path, crictl: Path, plugins: Path) -> None:
    for sub in ("bin", "cni", "images"):
        (work / sub).mkdir(parents=True)
    for name in _TOOLS:
        _place(binaries / name, work / "bin" / name)
    shutil.copy(crictl, work / "bin" / "crictl")
    for plugin in sorted((plugins / "usr" / "lib" / "cni").iterdir()):
        shutil.copy(plugin, work / "cni" / plugin.name)
    for name, image in kubernetes_images.images(binaries):
        file = name.rpartition("/")[2].replace(":", "_")
        image_archive.write(work / "images" / f"{file}.tar", name, image)
    files = sorted(path for path in work.rglob("*") if path.is_file())
    lines = [f"{_sha256(path)}  {path.relative_to(work)}\n" for path in files]
    (work / "checksums.txt").write_text("".join(lines), encoding="utf-8")


def _place(source: Path, target: Path) -> None:
    """A hard link, since both lie in one cache and neither is ever written to again."""
    os.link(source, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    print(build())
