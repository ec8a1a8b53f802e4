"""CheckpointContainer: off unless the configuration allows it; needs criu on the node."""

from __future__ import annotations

import shutil

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.config import Config


class CheckpointContainer:
    """The verb."""

    def __init__(self, config: Config) -> None:
        self._enabled = config.enable_checkpoint

    async def __call__(self, request: cri.CheckpointContainerRequest) -> cri.CheckpointContainerResponse:
        """Raises FailedPrecondition: disabled, or no criu; Unimplemented otherwise, for now."""
        if not self._enabled:
            raise errors.FailedPrecondition(
                f"checkpointing {request.container_id}: it is off on this node; "
                "set enable_checkpoint = true in pycri's configuration to allow it"
            )
        if shutil.which("criu") is None:
            raise errors.FailedPrecondition("checkpointing needs criu, which is not on this node: install it")
        raise errors.Unimplemented("pycri does not write checkpoint archives yet")
