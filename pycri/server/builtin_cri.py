"""containerd's own CRI plugin and pycri cannot share a namespace."""

from __future__ import annotations

import logging

from pycri import errors
from pycri.config import Config
from pycri.containerd import Containerd

log = logging.getLogger(__name__)

_ITS_NAMESPACE = "k8s.io"  # fixed in containerd


async def refuse_builtin_cri(config: Config, containerd: Containerd) -> None:
    """Raises FailedPrecondition if it is enabled: its recovery would adopt pycri's containers.

    A plugin that is enabled but failed to start adopts nothing; without a CNI configuration it fails late,
    so it counts as enabled.
    """
    if config.containerd.namespace != _ITS_NAMESPACE:
        return
    found = await containerd.introspection.plugins("type==io.containerd.grpc.v1,id==cri")
    if not any(not plugin.init_err.message for plugin in found):
        return
    message = (
        f"containerd at {config.containerd.address} has its own CRI plugin enabled in pycri's namespace: "
        'add "io.containerd.grpc.v1.cri" to disabled_plugins in /etc/containerd/config.toml and restart it'
    )
    if not config.containerd.allow_builtin_cri:
        raise errors.FailedPrecondition(message)
    log.warning("%s (allowed by containerd.allow_builtin_cri)", message)
