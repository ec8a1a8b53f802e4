"""pycri and containerd's own CRI on one private containerd, timed by ``nodestrap bench`` in one run.

    python -m tests.support.side_by_side [bench options]

$CONTAINERD chooses the containerd; both sides share it, its runc, the CNI plugins and the registry. Two
images of 70 MB are pulled: one layer, and ten.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path

from installer.cli import run
from installer.lab.oci_images import Entry, Image, build_layer, push
from tests.support.containerd import ContainerdHost
from tests.support.pycri import PycriHost, mirrored_registry

# Of compressed layer: hexadecimal digits of random bytes compress to half.
_MEGABYTES = 70


def main(arguments: list[str]) -> int:
    """Bring both sides up, run the bench, take both down; returns the bench's exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="nst-registry-") as registry,
        ContainerdHost(cri=True, portmap=True, sandbox_image="registry.k8s.io/pause:3.10.1") as containerd,
        mirrored_registry(containerd, Path(registry)) as pushed,
        PycriHost(containerd) as node,
    ):
        options = ["--endpoint", node.target, "--against", containerd.address]
        options += ["--process", str(node.processes["io"].pid)]
        for name in push_pull_images(pushed.address):
            options += ["--pull-image", f"registry.k8s.io/{name}"]
        return run(["bench", *options, *arguments])


def push_pull_images(registry: str) -> list[str]:
    """Push the images whose pull is timed; their names."""
    names = []
    for layers in (1, 10):
        size = _MEGABYTES * 1_000_000 // layers
        files = [Entry(f"file-{n}", secrets.token_bytes(size).hex().encode()) for n in range(layers)]
        name = f"bench/{layers}x{_MEGABYTES // layers}mb"
        push(registry, name, ["latest"], Image(tuple(build_layer([entry]) for entry in files)))
        names.append(f"{name}:latest")
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
