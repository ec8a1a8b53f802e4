"""kubeadm's configuration points at this endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context
from installer.verify.node_files import KUBEADM, NodeFiles, same_endpoint


@check(
    "node.kubeadm",
    tier=0,
    title="kubeadm uses this endpoint",
    proves="nodeRegistration.criSocket of InitConfiguration and JoinConfiguration",
    fix="set nodeRegistration.criSocket in the kubeadm configuration",
)
def node_kubeadm(ctx: Context) -> str:
    found = list(kubeadm_sockets(ctx.node_files))
    if not found:
        raise NotApplicable("no kubeadm configuration on this host names a CRI socket")
    for path, socket in found:
        expect(same_endpoint(socket, ctx.address), f"{path} says {socket}, not {ctx.address}")
    return ", ".join(f"{path}: {socket}" for path, socket in found)


def kubeadm_sockets(files: NodeFiles) -> Iterator[tuple[str, str]]:
    """(file, CRI socket) for each kubeadm document that sets one."""
    for path in KUBEADM:
        for document in files.documents(path):
            registration = document.get("nodeRegistration")
            if isinstance(registration, dict) and registration.get("criSocket"):
                yield path, str(registration["criSocket"])
