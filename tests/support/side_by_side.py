"""pycri and containerd's own CRI on one private containerd, timed by ``nodestrap bench`` in one run.

    python -m tests.support.side_by_side [bench options]

$CONTAINERD chooses the containerd; both sides share it, its runc, the CNI plugins and the registry.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from installer.cli import run
from tests.support.containerd import ContainerdHost
from tests.support.pycri import PycriHost, mirrored_registry


def main(arguments: list[str]) -> int:
    """Bring both sides up, run the bench, take both down; returns the bench's exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="nst-registry-") as registry,
        ContainerdHost(cri=True, portmap=True, sandbox_image="registry.k8s.io/pause:3.10.1") as containerd,
        mirrored_registry(containerd, Path(registry)),
        PycriHost(containerd) as node,
    ):
        return run(["bench", "--endpoint", node.target, "--against", containerd.address, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
