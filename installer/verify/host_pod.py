"""The pod that checks share which need the host's namespaces or a privileged container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from installer.verify.pods import Pod, running_pod
from pycri._generated import cri_pb2

if TYPE_CHECKING:
    from installer.verify.session import Session


@contextmanager
def open_host_pod(session: Session) -> Iterator[Pod]:
    """Run it: privileged, with the host's network, PID and IPC namespaces. Raises CriError, HostError."""
    node = cri_pb2.NamespaceOption(network=cri_pb2.NODE, pid=cri_pb2.NODE, ipc=cri_pb2.NODE)
    context = cri_pb2.LinuxSandboxSecurityContext(namespace_options=node, privileged=True)
    linux = cri_pb2.LinuxPodSandboxConfig(security_context=context)
    with running_pod(session, "host", linux=linux) as pod:
        yield pod
