"""The node's files that name a CRI endpoint or a cgroup driver, read in one command and parsed."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass, field
from typing import Any

import yaml

from installer.verify.check import NotApplicable
from installer.verify.host import Host

CRICTL = "/etc/crictl.yaml"
KUBELET = "/var/lib/kubelet/config.yaml"
KUBELET_INSTANCE = "/var/lib/kubelet/instance-config.yaml"
"""kubeadm's per-node overlay (1.32 and later); it holds containerRuntimeEndpoint."""
KUBELET_FLAGS = (
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
)
KUBEADM = (
    "/etc/kubernetes/kubeadm.yaml",
    "/etc/kubernetes/kubeadm-init.yaml",
    "/etc/kubernetes/kubeadm-join.yaml",
    "/etc/kubernetes/kubeadm-config.yaml",
)
_ALL = (CRICTL, KUBELET, KUBELET_INSTANCE, *KUBELET_FLAGS, *KUBEADM)


@dataclass(frozen=True)
class NodeFiles:
    """The files that exist, by path."""

    contents: dict[str, str] = field(default_factory=dict)

    def document(self, path: str) -> dict[str, Any]:
        """A YAML file's first mapping; empty when the file is missing or holds no mapping."""
        return next(iter(self.documents(path)), {})

    def documents(self, path: str) -> list[dict[str, Any]]:
        """A YAML file's mappings. Raises ValueError when it is not YAML."""
        try:
            found = list(yaml.safe_load_all(self.contents.get(path, "")))
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is not YAML: {error}") from error
        return [each for each in found if isinstance(each, dict)]

    def kubelet_flag(self, name: str) -> tuple[str, str] | None:
        """(value, file) of a kubelet flag in the environment files; None when none sets it."""
        for path in KUBELET_FLAGS:
            match = re.search(rf"--{re.escape(name)}[= ]([^\s\"']+)", self.contents.get(path, ""))
            if match:
                return match.group(1), path
        return None


def read(host: Host) -> NodeFiles:
    """Read the files. Raises NotApplicable when the host lets us run nothing, HostError for a failure."""
    if host.refusal is not None:
        raise NotApplicable(f"the node's files cannot be read: {host.refusal}")
    paths = " ".join(shlex.quote(path) for path in _ALL)
    script = (
        f'for f in {paths}; do if [ -f "$f" ]; then '
        'printf "%s %s\\n" "$(wc -c < "$f")" "$f"; cat "$f"; fi; done'
    )
    return NodeFiles(parse(host.run(script).stdout))


def parse(listing: bytes) -> dict[str, str]:
    """Parse ``SIZE PATH\\n`` headers, each followed by SIZE bytes. Raises ValueError when cut short."""
    contents: dict[str, str] = {}
    position = 0
    while position < len(listing):
        end = listing.find(b"\n", position)
        size, _, path = listing[position:end].decode(errors="replace").strip().partition(" ")
        if end < 0 or not size.isdecimal():
            raise ValueError(f"no file header at byte {position}")
        body = listing[end + 1 : end + 1 + int(size)]
        if len(body) < int(size):
            raise ValueError(f"{path} was cut short")
        contents[path] = body.decode(errors="replace")
        position = end + 1 + int(size)
    return contents


def same_endpoint(one: str, other: str) -> bool:
    """Whether two endpoint spellings mean one socket: scheme optional, /var/run is /run."""
    return _socket_path(one) == _socket_path(other)


def _socket_path(endpoint: str) -> str:
    path = posixpath.normpath(endpoint.strip().strip("\"'").removeprefix("unix://"))
    path = re.sub("^/+", "/", path)
    return "/run" + path.removeprefix("/var/run") if path.startswith("/var/run/") else path
