"""Fixtures of the control process's integration tests: one node per module, with a registry and busybox."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.containerd import ContainerdHost
from tests.support.cri_pods import Pods
from tests.support.pycri import PycriHost, mirrored_registry


@dataclass(frozen=True)
class ControlNode:
    """A containerd, a pycri on it, and a client that has pulled busybox."""

    containerd: ContainerdHost
    pycri: PycriHost
    pods: Pods

    def addresses(self) -> set[str]:
        """The addresses that the node's network has given away (host-local keeps a file for each)."""
        directory = self.containerd.root / "ipam" / self.containerd.bridge
        if not directory.exists():
            return set()
        return {path.name for path in directory.iterdir() if re.fullmatch(r"[\d.]+|[\da-f]*:.*", path.name)}

    def namespaces(self) -> set[str]:
        """Network namespaces that this node has made and not removed."""
        return {str(path) for path in (self.pycri.root / "netns").glob("*")}

    def veths(self) -> set[str]:
        """Interfaces on the node's bridge."""
        command = ["ip", "-o", "link", "show", "master", self.containerd.bridge]
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return {line.split(":")[1].split("@")[0].strip() for line in output.splitlines()}

    def leftovers(self) -> dict[str, set[str]]:
        """What a pod could leave; all of it empty when no pod is there."""
        return {
            "addresses": self.addresses(),
            "namespaces": self.namespaces(),
            "veths": self.veths(),
            "directories": {path.name for path in (self.pycri.root / "lib/sandboxes").glob("*")},
            "shm": {path.name for path in (self.pycri.root / "run/sandboxes").glob("*")},
        }


@contextmanager
def control_node(
    work: Path,
    extra_config: str = "",
    extra_sections: str = "",
    containerd: ContainerdHost | None = None,
) -> Iterator[ControlNode]:
    """Bring a node up and take it down; AssertionError if it leaves anything.

    ``extra_config`` is TOML at the top of pycri's configuration, ``extra_sections`` at its end.
    """
    with (
        containerd or ContainerdHost() as host,
        mirrored_registry(host, work / "registry"),
        PycriHost(host, extra_config=extra_config, extra_sections=extra_sections) as pycri,
    ):
        client = pycri.client()
        try:
            pods = Pods(client, str(work / "logs"))
            pods.pull()
            node = ControlNode(host, pycri, pods)
            yield node
            for pod in pods.pods():
                pods.remove_pod(pod)
            left = {name: found for name, found in node.leftovers().items() if found}
            assert not left, f"pods left behind: {left}"
        finally:
            client.close()
