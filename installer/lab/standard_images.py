"""The images that verify and the tests pull, under their upstream names.

They are equivalents made from Debian's busybox-static, not the upstream bytes: enough commands for the
checks, nothing to download. Repositories carry no registry host, so one registry serves registry.k8s.io,
docker.io and the others through certs.d mirrors.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from installer.errors import NodestrapError
from installer.lab.oci_images import Entry, Image, Layer, build_layer, push

MIRRORED = ("registry.k8s.io", "docker.io", "k8s.gcr.io", "gcr.io", "quay.io", "ghcr.io")
"""Upstream registries that lab hosts are pointed away from."""

BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.29-4"
PAUSE = "registry.k8s.io/pause:3.10.1"

_DIRECTORIES = (
    *("bin", "sbin", "usr", "usr/bin", "usr/sbin", "etc", "root", "home"),
    *("var", "var/www", "dev", "proc", "sys", "run"),
)
_PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
    "www-data:x:33:33:www-data:/var/www:/bin/false\n"
    "nobody:x:65534:65534:nobody:/home:/bin/false\n"
)
_GROUP = "root:x:0:\ndaemon:x:1:\naudio:x:29:www-data\nwww-data:x:33:\nnogroup:x:65534:\n"
# PID 1 of a pod: ends at once on SIGTERM, and `wait` reaps what is orphaned onto it.
_PAUSE = b"""#!/bin/sh
trap 'exit 0' TERM INT
while :; do
    sleep 2147483647 &
    wait $!
done
"""


@dataclass(frozen=True)
class StandardImage:
    """An image and where it is pushed."""

    repository: str
    tags: tuple[str, ...]
    image: Image


def push_standard_images(registry: str) -> dict[str, str]:
    """Push every standard image to `registry` (host:port); returns `repository:tag` -> manifest digest.

    Raises NodestrapError when busybox-static is missing or the registry refuses.
    """
    digests = {}
    for standard in standard_images():
        sum_ = push(registry, standard.repository, standard.tags, standard.image)
        digests.update({f"{standard.repository}:{tag}": sum_ for tag in standard.tags})
    return digests


@lru_cache(maxsize=1)
def standard_images() -> tuple[StandardImage, ...]:
    """The standard images, built once per process. Raises NodestrapError when busybox-static is missing."""
    base = busybox_layer()
    shell = {"Cmd": ["sh"]}
    pause = build_layer([Entry("pause", _PAUSE, 0o755)])
    second = build_layer([Entry("etc/second", b"a second image, told from the first by this file\n")])
    arch = debian_architecture()
    return (
        StandardImage("e2e-test-images/busybox", ("1.29-4", "1.29-2"), Image((base,), shell, arch)),
        StandardImage("library/busybox", ("1.36", "latest"), Image((base,), shell, arch)),
        StandardImage(
            "pause",
            ("3.6", "3.8", "3.9", "3.10", "3.10.1", "3.10.2"),
            Image((base, pause), {"Entrypoint": ["/pause"], "User": "65535:65535"}, arch),
        ),
        StandardImage("e2e-test-images/second", ("1", "2"), Image((base, second), shell, arch)),
    )


def busybox_layer() -> Layer:
    """A root file system of busybox, its applets hard links so that a mount can mask one of them.

    Raises NodestrapError when no statically linked busybox is installed.
    """
    binary = static_busybox()
    listed = subprocess.run([str(binary), "--list-full"], capture_output=True, check=True, text=True).stdout
    applets = sorted({path.strip("/") for path in listed.split()} - {"bin/busybox"})
    parents = {str(Path(path).parent) for path in applets} - {".", *_DIRECTORIES}
    return build_layer(
        [
            *(Entry.directory(path) for path in (*_DIRECTORIES, *sorted(parents))),
            Entry.directory("tmp", 0o1777),
            Entry("bin/busybox", binary.read_bytes(), 0o755),
            *(Entry(path, mode=0o755, hard_link="bin/busybox") for path in applets),
            Entry("etc/passwd", _PASSWD.encode()),
            Entry("etc/group", _GROUP.encode()),
        ]
    )


def debian_architecture() -> str:
    """This machine's architecture as Debian and OCI both spell it: amd64 or arm64."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def static_busybox() -> Path:
    """The statically linked busybox on PATH. Raises NodestrapError when there is none."""
    found = shutil.which("busybox")
    if found is None or _dynamic(Path(found)):
        raise NodestrapError(
            "The lab's images are made from a statically linked busybox, and there is none on PATH.",
            fix="apt-get install busybox-static",
        )
    return Path(found)


def _dynamic(binary: Path) -> bool:
    """Whether the program names a dynamic loader (an ELF PT_INTERP such as /lib64/ld-linux-x86-64.so.2)."""
    return b"/ld-linux" in binary.read_bytes()[:4096]
