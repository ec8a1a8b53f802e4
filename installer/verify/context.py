"""What a check is given: the endpoint to talk to, the host behind it, and pods to make."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from installer.verify.check import NotApplicable
from installer.verify.client import CriClient, Service
from installer.verify.cluster import Cluster
from installer.verify.host import Host
from installer.verify.node_files import NodeFiles
from installer.verify.options import Options
from installer.verify.pods import Container, Pod, running_pod
from installer.verify.session import Session


class Context:
    """A check's view of the run."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def cri(self) -> CriClient:
        """The connection itself."""
        return self.session.cri

    @property
    def runtime(self) -> Service:
        """RuntimeService."""
        return self.session.cri.runtime

    @property
    def images(self) -> Service:
        """ImageService."""
        return self.session.cri.image

    @property
    def options(self) -> Options:
        """The run's settings."""
        return self.session.options

    @property
    def address(self) -> str:
        """The endpoint as the host spells it, ``unix:///…``."""
        return self.session.address

    @property
    def host(self) -> Host:
        """The host, when commands can be run on it as root. Raises NotApplicable otherwise."""
        refusal = self.session.host.refusal
        if refusal is not None:
            raise NotApplicable(f"it needs commands as root on the host: {refusal}")
        return self.session.host

    @property
    def predates_runtime_config(self) -> bool:
        """Whether the endpoint is older than CRI 0.28, so that it may lack what came about then."""
        return self.session.predates_runtime_config.get()

    @property
    def node_files(self) -> NodeFiles:
        """The node's configuration files. Raises NotApplicable when they cannot be read."""
        return self.session.files.get()

    @property
    def cluster(self) -> Cluster:
        """The cluster that the host is a control plane of. Raises NotApplicable where it is none."""
        return self.session.cluster.get()

    @property
    def image(self) -> Any:
        """The run's image, as ImageStatus has it. Raises CriError."""
        return self.session.image.get()

    @property
    def container(self) -> Container:
        """The shared container, for checks that change nothing (``shared_pod``). Raises CriError."""
        return self.session.container()

    @property
    def host_pod(self) -> Pod:
        """The shared privileged pod in the host's namespaces (``host_pod``). Raises CriError."""
        return self.session.host_pod.get()

    def pod(self, name: str, **fields: Any) -> AbstractContextManager[Pod]:
        """A pod of the check's own (``pods.running_pod``)."""
        return running_pod(self.session, name, **fields)
