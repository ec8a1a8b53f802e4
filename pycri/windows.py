"""The CRI's Windows fields: a Linux node refuses them, rather than running something else than asked for."""

from __future__ import annotations

from pycri import errors
from pycri._generated import cri_pb2 as cri


def refuse(
    message: cri.PodSandboxConfig | cri.ContainerConfig | cri.UpdateContainerResourcesRequest,
) -> None:
    """Raise InvalidArgument when ``message`` has its ``windows`` set."""
    if message.HasField("windows"):
        raise errors.InvalidArgument(
            f"{message.DESCRIPTOR.name}.windows is set, and this is a Linux node: leave it out"
        )
